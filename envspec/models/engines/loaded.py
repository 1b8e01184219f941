"""The engines that are loaded: each once, and the least recently used ones given up when memory is short."""

from __future__ import annotations

import atexit
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envspec.errors import ResourceError
from envspec.models.engines.engine import Engine
from envspec.models.engines.heir import Heir
from envspec.models.engines.memory import free_gpu, free_ram, give_back, is_exhaustion
from envspec.models.engines.option_values import value_of
from envspec.models.engines.traces import Baseline, descendants, survivors
from envspec.record import Record

if TYPE_CHECKING:
    import psutil


class Wanted(Record):
    """An engine to be: which library, which files (their path holds the commit), which options."""

    name: str
    backend: str
    engine: Engine
    path: Path
    options: Mapping[str, Any]

    @property
    def key(self) -> Hashable:
        """The same for everybody who can share the engine."""
        return (self.backend, str(self.path), value_of(self.options))

    def __str__(self) -> str:
        return f"{self.name} ({self.backend})"


class Loaded(Record):
    """An engine that is loaded, and the processes that it started."""

    wanted: Wanted
    engine: Any
    processes: set[psutil.Process]


class LoadedEngines:
    """A cache of loaded engines. One is loaded at a time, since two would count on the same free memory."""

    def __init__(self, warn: Callable[[str], None], heir: Heir) -> None:
        self._warn = warn
        self._heir = heir
        self._loaded: OrderedDict[Hashable, Loaded] = OrderedDict()
        self._table = threading.Lock()
        self._loading = threading.RLock()
        self._baseline: Baseline | None = None

    def get(self, wanted: Wanted) -> Any:
        """Return the engine, loaded if this is the first call for it.

        Raises:
            ResourceError: it does not fit into memory, even alone. What else the library raises comes through.
        """
        key = wanted.key
        if found := self._used(key):
            return found.engine
        with self._loading:
            if found := self._used(key):  # somebody else loaded it meanwhile
                return found.engine
            with self._before().importing():
                wanted.engine.prepare()
            self._make_room(wanted)
            try:
                with self._heir.loading():
                    return self._add(wanted)
            finally:
                self._dismiss_heir()

    def _add(self, wanted: Wanted) -> Any:
        others = descendants()
        engine = self._load(wanted)
        with self._table:
            self._loaded[wanted.key] = Loaded(wanted, engine, descendants() - others)
        return engine

    def _dismiss_heir(self) -> None:
        if not self._loaded:
            self._heir.dismiss()

    def _used(self, key: Hashable) -> Loaded | None:
        with self._table:
            if key in self._loaded:
                self._loaded.move_to_end(key)
            return self._loaded.get(key)

    def _before(self) -> Baseline:
        if self._baseline is None:
            self._baseline = Baseline()
            atexit.register(self.close)
        return self._baseline

    def _make_room(self, wanted: Wanted) -> None:
        """Release the least recently used engines until there is room, as far as that can be told before."""
        need = wanted.engine.needs(wanted.path, wanted.options)
        while self._loaded and (need.ram > free_ram() or (need.gpu and need.gpu > free_gpu())):
            self._release(next(iter(self._loaded)))

    def _load(self, wanted: Wanted) -> Any:
        """Load; where memory runs out release all other engines and try once more."""
        for is_last in (False, True):
            try:
                return wanted.engine.load(wanted.path, wanted.options)
            except (MemoryError, OSError, RuntimeError, ValueError) as error:
                if not is_exhaustion(error, wanted.engine.signs_of_exhaustion):
                    raise
                if is_last or not self._loaded:
                    raise _too_large(wanted, error) from error
            # Not in the handler: its traceback holds what was loaded so far.
            while self._loaded:
                self._release(next(iter(self._loaded)))
        raise AssertionError  # the last try returned or raised

    def release(self, wanted: Callable[[Wanted], bool]) -> None:
        """Release the engines that are wanted no more."""
        with self._loading:
            for key in [key for key, loaded in self._loaded.items() if wanted(loaded.wanted)]:
                self._release(key)
            self._dismiss_heir()

    def _release(self, key: Hashable) -> None:
        with self._table:
            loaded = self._loaded.pop(key)
        wanted, processes = loaded.wanted, loaded.processes
        try:
            wanted.engine.release(loaded.engine)
        finally:
            del loaded
            give_back()
            for left in survivors(processes):
                self._warn(f"after the release of {wanted}, {left} is still there")

    def close(self) -> None:
        """Release all engines, and say what did not come back. One that will not end does not spare the others."""
        with self._loading, ExitStack() as finally_:
            atexit.unregister(self.close)
            finally_.callback(self._dismiss_heir)
            names = ", ".join(str(loaded.wanted) for loaded in self._loaded.values())
            finally_.callback(self._look_back, names or "all engines")
            for key in self._loaded:  # called in reverse
                finally_.callback(self._release, key)

    def _look_back(self, names: str) -> None:
        if self._baseline is not None:
            for left in self._baseline.remaining():
                self._warn(f"after the release of {names}, {left}")
            self._baseline = None


def _too_large(wanted: Wanted, error: Exception) -> ResourceError:
    need = wanted.engine.needs(wanted.path, wanted.options)
    gib = 2**30
    where = f"{need.gpu / gib:.1f} GiB of GPU memory" if need.gpu else f"{need.ram / gib:.1f} GiB of memory"
    free = (free_gpu() if need.gpu else free_ram()) / gib
    return ResourceError(
        f"{wanted} does not fit: it was estimated to need {where}, {free:.1f} GiB are free ({error})",
        hint="end what else uses the memory, take a smaller model, or options that need less (max_model_len, dtype)",
    )
