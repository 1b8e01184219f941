"""Somebody who hears a session's events in a thread of their own, and so may ask the session itself meanwhile."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from envspec.plan.events import Event


class Listener:
    """Calls `callback` with each event that it is told, one after the other, until it is ended."""

    def __init__(self, callback: Callable[[Event], None]) -> None:
        self._callback = callback
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="envspec events", daemon=True)
        self._thread.start()

    def tell(self, event: Event) -> None:
        """Let it hear of an event. Returns at once."""
        self._events.put(event)

    def end(self) -> None:
        """Let it go when it has heard what it was told. May be called again."""
        self._events.put(None)

    def wait(self, seconds: float) -> None:
        """Return when it has heard all, after `seconds` at most; at once if it is the listener itself that asks."""
        if threading.current_thread() is not self._thread:
            self._thread.join(seconds)

    def _run(self) -> None:
        for event in iter(self._events.get, None):
            self._callback(event)
