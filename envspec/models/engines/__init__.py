"""Models in this process: an engine is one module of this package and one line of `ENGINES`."""

from __future__ import annotations

from envspec.models.engines.engine import Engine
from envspec.models.engines.transformers import Transformers
from envspec.models.engines.vllm import Vllm

ENGINES: dict[str, Engine] = {
    "vllm": Vllm(),
    "transformers": Transformers(),
}
"""By what `model_loader(model, backend)` calls them."""
