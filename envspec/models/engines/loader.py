"""Loading a model: a model by its name, as an engine in this process or as files."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, overload

from envspec.errors import UsageError
from envspec.models.engines import ENGINES
from envspec.models.engines.engine import Engine, check_installed
from envspec.models.engines.files import Files, Tell
from envspec.models.engines.heir import Heir, NoHeir
from envspec.models.engines.loaded import LoadedEngines, Wanted
from envspec.models.engines.reference import Reference, reference


def as_warning(text: str) -> None:
    """Tell of what engines left behind, where nobody else is there to hear it."""
    warnings.warn(text, RuntimeWarning, stacklevel=2)


class ModelLoader:
    """Loads each model once, as envspec.session.model_loader describes to its users."""

    def __init__(
        self,
        models: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        tell: Tell | None = None,
        warn: Callable[[str], None] = as_warning,
        heir: Heir | None = None,
    ) -> None:
        """Take the declared models, and the variables that choose caches, endpoint and token (default: os.environ).

        `tell` hears of downloads, from any thread; `warn` hears what engines left behind; `heir` ends what they
        started when this process is killed.

        Raises:
            UsageError: `models` is no mapping of names to mappings.
        """
        self._declared = _checked({} if models is None else models)
        self._files = Files(os.environ if environ is None else environ, tell)
        self._engines = LoadedEngines(warn, heir or NoHeir())
        self._closed = False

    @overload
    def __call__(
        self,
        model: str | Path,
        backend: str = "",
        *,
        preload_only: Literal[True],
        revision: str | None = None,
        **options: Any,
    ) -> Path: ...

    @overload
    def __call__(
        self,
        model: str | Path,
        backend: str = "",
        *,
        preload_only: Literal[False] = False,
        revision: str | None = None,
        **options: Any,
    ) -> Any: ...

    def __call__(
        self,
        model: str | Path,
        backend: str = "",
        *,
        preload_only: bool = False,
        revision: str | None = None,
        **options: Any,
    ) -> Any:
        """Return an engine with the model: a `vllm.LLM`, or a `transformers` pipeline.

        Args:
            model: a declared name, a path, or a repository `org/name`; what is declared comes first.
            backend: "vllm" or "transformers".
            preload_only: fetch the files, load nothing, and return their path; then no backend is needed.
            revision: a branch, a tag or a commit of the repository (default: what is declared, or main).
            options: are handed to `vllm.LLM` or `transformers.pipeline` as they are.

        Raises:
            UsageError: there is no such model or backend, or the loader is closed.
            RequirementError: the backend's library is not installed.
            ModelUnavailableError: the files cannot be had.
            ResourceError: the model does not fit into memory, even after all other engines were released.
        """
        __tracebackhide__ = True
        return self._load(model, backend, revision, options, preload_only=preload_only)

    def _load(
        self, model: str | Path, backend: str, revision: str | None, options: Mapping[str, Any], *, preload_only: bool
    ) -> Any:
        __tracebackhide__ = True
        if self._closed:
            raise UsageError("this model loader is closed", hint="make another one, or call it within its block")
        wanted = reference(model, self._declared, revision)
        if preload_only and not backend:
            return self._files.fetched(wanted)
        engine = _engine(backend)
        if preload_only:
            return self._files.fetched(wanted)
        check_installed(backend, engine)
        path = self._files.fetched(wanted)
        return self._engines.get(Wanted(wanted.name, backend, engine, path, options))

    def cached(self, model: str | Path, revision: str | None = None) -> Path | None:
        """Return where the model's files are, or None where some of them would have to be fetched. Asks nobody.

        Raises:
            UsageError: there is no such model.
        """
        return self._files.known(reference(model, self._declared, revision))

    def release(self, model: str | Path) -> None:
        """Shut down all engines of a model, whatever their backend and options; it may be asked for again."""
        wanted: Reference = reference(model, self._declared)
        self._engines.release(lambda loaded: loaded.name == wanted.name)

    def close(self) -> None:
        """Shut down all engines, and warn of memory and processes that stay. The loader is of no more use then."""
        self._closed = True
        self._engines.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _checked(models: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the declared models, which callers without a type checker may have given in another form."""
    example = 'such as {"chat": {"repo": "org/name"}}'
    if not isinstance(models, Mapping):
        raise UsageError(f"models must be a mapping of names to models, not {type(models).__name__}", hint=example)
    for name, written in models.items():
        if not isinstance(written, Mapping):
            raise UsageError(f"the model {name} must be a mapping, not {type(written).__name__}", hint=example)
    return dict(models)


def _engine(backend: str) -> Engine:
    if backend not in ENGINES:
        message = f"there is no backend {backend!r}" if backend else "a backend is missing"
        raise UsageError(message, hint=f"known: {', '.join(ENGINES)}")
    return ENGINES[backend]
