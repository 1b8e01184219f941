"""Waits until processes that were sent SIGSTOP do stand still: each thread stops when it next leaves the kernel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from envspec.agent.identity import stat_fields
from envspec.agent.loop import Loop

PATIENCE = 1.0
"""Seconds. What sleeps uninterruptibly in the kernel stops when that ends, and nobody should wait for it."""
LOOK_AGAIN = 0.002
"""Seconds between looks."""
RUNNING = frozenset("RSDI")
"""States of a thread that neither is stopped nor has ended (proc(5), /proc/PID/stat)."""


def when_still(loop: Loop, pids: Iterable[int], callback: Callable[[], None]) -> None:
    """Call `callback` once no thread of these processes runs, after PATIENCE at the latest."""
    left = set(pids)
    until = time.monotonic() + PATIENCE

    def look() -> None:
        left.difference_update([pid for pid in left if _is_still(pid)])
        if left and time.monotonic() < until:
            loop.after(LOOK_AGAIN, look)
        else:
            callback()

    look()


def _is_still(pid: int) -> bool:
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return True  # it has ended
    return RUNNING.isdisjoint(state for thread in threads for state in stat_fields(pid, int(thread.name))[:1])
