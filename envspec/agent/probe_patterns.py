"""Matches the patterns of all probes in the main thread, the one where a match can be interrupted."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import TypeVar

from envspec.agent.loop import Loop
from envspec.agent.pattern_limit import SlowPatternError, bounded

Found = TypeVar("Found")


class PatternThread:
    """The main thread, as a thread sees it that has a pattern to match. `loop` runs there."""

    def __init__(self, loop: Loop) -> None:
        self._tasks: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._reading, self._waking = os.pipe()
        loop.watch(self._reading, self._work)

    def bounded(
        self, pattern: str, limit: float, work: Callable[[], Found], looks: Callable[[], int] = lambda: 0
    ) -> Found:
        """Do as the function `bounded` does, over there, and wait for it."""
        results: SimpleQueue[Found | Exception] = SimpleQueue()
        self._tasks.put(lambda: results.put(_result_of(partial(bounded, pattern, limit, work, looks))))
        os.write(self._waking, b"\n")
        result = results.get()
        if isinstance(result, Exception):
            raise result
        return result

    def _work(self) -> None:
        os.read(self._reading, 1)
        self._tasks.get()()


def _result_of(work: Callable[[], Found]) -> Found | Exception:
    try:
        return work()
    except (SlowPatternError, OSError, MemoryError) as error:
        return error
