"""Fetching what the tests will use before the first of them runs: in parallel, each once, with a word now and then."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from envspec.errors import EnvspecError, ModelUnavailableError
from envspec.models.source import Notice, Progress
from envspec.units import format_seconds

AT_ONCE = 4
"""Models fetched at a time; each has several files on the way."""
PATIENCE = 10.0
"""Seconds between two lines of progress: no CI takes the run for a hanging one."""

Name = TypeVar("Name")
Fetch = Callable[[], Path]
"""Fetches one model, or raises an EnvspecError."""
Say = Callable[[str], None]


class Count:
    """Bytes that came, by model; told by the sources, from their threads."""

    def __init__(self) -> None:
        self._models: dict[str, Progress] = {}

    def __call__(self, name: str, notice: Notice) -> None:
        """Hear of one model."""
        if isinstance(notice, Progress):
            self._models[name] = notice

    def __str__(self) -> str:
        heard = list(self._models.values())
        done, total = sum(one.done for one in heard), sum(one.total or one.done for one in heard)
        return f", {done / 1e6:.0f} of {total / 1e6:.0f} MB" if total else ""


def fetch_all(models: Mapping[Name, Fetch], count: Count, say: Say) -> dict[Name, EnvspecError]:
    """Return, when each model is here or has failed, why those failed that did."""
    if not models:
        return {}
    began = time.monotonic()
    say(f"envspec: fetching {_named(models)} …")
    waiting: queue.SimpleQueue[Name] = queue.SimpleQueue()
    for name in models:
        waiting.put(name)
    done: queue.SimpleQueue[tuple[Name, EnvspecError | None]] = queue.SimpleQueue()
    for _ in range(min(AT_ONCE, len(models))):  # daemons: Ctrl-C must not wait for a download
        threading.Thread(target=_work, args=(models, waiting, done), name="envspec preload", daemon=True).start()
    results: dict[Name, EnvspecError | None] = {}
    while len(results) < len(models):
        try:
            name, error = done.get(timeout=PATIENCE)
            results[name] = error
        except queue.Empty:
            say(f"envspec: {len(results)} of {len(models)} models are here{count}")
    failed = {name: error for name, error in results.items() if error is not None}
    here = f"{len(models) - len(failed)} of {len(models)} models are here"
    say(f"envspec: {here}{count} after {format_seconds(time.monotonic() - began)}")
    return failed


def _named(models: Iterable[object]) -> str:
    names = list(dict.fromkeys(map(str, models)))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _work(
    models: Mapping[Name, Fetch],
    waiting: queue.SimpleQueue[Name],
    done: queue.SimpleQueue[tuple[Name, EnvspecError | None]],
) -> None:
    while not waiting.empty():
        try:
            name = waiting.get_nowait()
        except queue.Empty:
            return
        error: EnvspecError | None = ModelUnavailableError(
            f"fetching {name} broke off; the thread's traceback says why"
        )
        try:
            models[name]()
            error = None
        except EnvspecError as failed:
            error = failed
        finally:
            done.put((name, error))
