"""`envspec.ModelLoader`: loading a model so that nothing of it outlives this process, not even its SIGKILL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from envspec.agent.heir_client import HeirClient
from envspec.models.engines import loader
from envspec.models.engines.files import Tell


class ModelLoader(loader.ModelLoader):
    """Loads each model once: `loader("org/name", "vllm")` gives vLLM's own object, the second call the same one.

    Models come from the hub, from a path, or from `models`, which are declared as in an environment file. An engine is
    loaded once for the same files, backend and options. When memory is short for the next one, those that were used
    least recently are shut down; so ask again for an engine instead of keeping it. Used from threads, it loads one
    engine at a time. Leaving the block, `close()` or the end of the process shuts all engines down; should the process
    be killed, a process beside it, which is there while an engine is loaded, ends what they had started.
    """

    def __init__(
        self,
        models: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        tell: Tell | None = None,
        warn: Callable[[str], None] = loader.as_warning,
    ) -> None:
        """Take the declared models, and the variables that choose caches, endpoint and token (default: os.environ).

        `tell` hears of downloads, from any thread; `warn` hears what engines left behind.
        """
        super().__init__(models, environ=environ, tell=tell, warn=warn, heir=HeirClient())
