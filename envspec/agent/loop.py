"""The agent's event loop: descriptors that become ready, and callbacks that fall due. One thread."""

from __future__ import annotations

import heapq
import selectors
import time
from collections.abc import Callable
from itertools import count

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE


class Timer:
    """A callback that will be called once, unless cancelled before."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Never call it."""
        self.callback = None


class Loop:
    """Runs callbacks when descriptors are ready or times have come, until `stop`.

    asyncio does more than this and costs 77 to 118 ms to import, beside the 60 ms in which an agent has to be up.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = count()
        self._running = True

    def watch(self, descriptor: int, callback: Callable[[], None], events: int = READ) -> None:
        """Call `callback` whenever `descriptor` is ready. Watching it again replaces callback and events."""
        if descriptor in self._selector.get_map():
            self._selector.modify(descriptor, events, callback)
        else:
            self._selector.register(descriptor, events, callback)

    def forget(self, descriptor: int) -> None:
        """Watch it no longer. To be called before it is closed; harmless when it is not watched."""
        if descriptor in self._selector.get_map():
            self._selector.unregister(descriptor)

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once, `seconds` from now."""
        timer = Timer(callback)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), timer))
        return timer

    def stop(self) -> None:
        """Return from `run` after the callbacks of this round."""
        self._running = False

    def run(self) -> None:
        """Call callbacks until `stop`. What they raise ends the loop."""
        while self._running:
            for key, _ in self._selector.select(self._patience()):
                # An earlier callback of this round may have forgotten this descriptor.
                if key.fd in self._selector.get_map():
                    key.data()
            self._call_due()

    def _patience(self) -> float | None:
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None

    def _call_due(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            callback = heapq.heappop(self._timers)[2].callback
            if callback is not None:
                callback()
