"""Bounds what a pattern may cost: a repeat within a repeat has endless ways to fail.

Python's matcher holds all threads of its process until it is done, but looks for signals while it works in the main
thread. There the agent, which has no other, interrupts it; the prober's threads have their patterns matched there
(envspec.agent.probe_patterns).
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

Found = TypeVar("Found")
REMEDY = "the pattern has too many ways to fail: leave out a repeat within a repeat, as in (x+)+, and .* at its ends"


class SlowPatternError(Exception):
    """A pattern took too long; the text says so to whoever wrote it."""


def bounded(pattern: str, limit: float, work: Callable[[], Found], looks: Callable[[], int] = lambda: 0) -> Found:
    """Do `work`, which matches `pattern`, and interrupt it when one match does not get on. For the main thread alone.

    `looks` counts the matches begun. `limit` is seconds of this thread's processor, for on a busy machine who has to
    wait is not slow; a match gets as much at least, and at most twice that.

    Raises:
        SlowPatternError: it was interrupted; what it worked on is of no use any more.
    """
    armed, seen, since = True, looks(), time.thread_time()

    def tick(_number: int, _frame: FrameType | None) -> None:
        nonlocal seen, since
        now = time.thread_time()
        if looks() != seen:
            seen, since = looks(), now
        elif armed and now - since >= limit:
            raise SlowPatternError(
                f"the pattern {pattern!r} takes longer than {limit * 1000:.0f} ms, so it is given up"
            )

    signal.signal(signal.SIGVTALRM, tick)
    signal.setitimer(signal.ITIMER_VIRTUAL, limit, limit)
    try:
        return work()
    finally:
        armed = False  # a tick that is on its way already comes to nothing
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
