"""Threads that wait for work, because making one costs as much as asking a quick validator."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

Task = Callable[[], object]


class Threads:
    """Runs every task at once, in a thread that is free or in a new one.

    There are as many threads as there ever were tasks at a time; one whose task hangs is lost, and nothing waits for
    it.
    """

    def __init__(self) -> None:
        self._tasks: SimpleQueue[Task] = SimpleQueue()
        self._lock = threading.Lock()
        self._free = 0
        self._add()

    def run(self, task: Task) -> None:
        """Run `task`, which must not raise, without waiting for it."""
        with self._lock:
            self._free -= 1
            lacking = self._free < 0
        self._tasks.put(task)
        if lacking:
            self._add()

    def _add(self) -> None:
        threading.Thread(target=self._work, daemon=True, name="inquiries").start()

    def _work(self) -> None:
        while True:
            with self._lock:
                self._free += 1
            self._tasks.get()()
