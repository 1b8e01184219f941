"""One direction of a relayed connection: what comes in at one end leaves at the other when the toxics let it."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from enum import Enum

from envspec.plan.toxics import Toxics

ROOM = 2**20
"""Bytes that wait in one direction before its sender is read no further, and so finds its own buffers full."""
SLICE = 0.02
"""Seconds' worth of bytes that pass at once where the rate is limited."""


class Last(Enum):
    """What is behind the last byte: an orderly end, or a cut."""

    END = "FIN"
    CUT = "RST"


class Way:
    """Bytes on their way, in order. Nothing leaves while it is `shut`: the far end is not there yet, or is full."""

    def __init__(self, *, delayed: bool) -> None:
        self.toxics = Toxics()
        self.left: int | None = None
        """Bytes that may still pass before the connection is cut; None while it is not to be."""
        self.shut = True
        self._delayed = delayed
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[float, bytes | Last]] = deque()
        self._size = 0
        self._free_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = self._holds_back = False

    def between(self, hold_back: Callable[[bool], None], sink: Callable[[bytes | Last], None]) -> None:
        """Lie between two ends: of the near one is read no further while told so, the far one takes pieces."""
        self._hold_back, self._sink = hold_back, sink

    def take(self, piece: bytes | Last) -> None:
        """Take what came in; pass it on at once where nothing speaks against it."""
        if self._is_over:
            return
        self._waiting.append((self._due(), piece))
        if isinstance(piece, bytes):
            self._size += len(piece)
        self.go()

    def go(self) -> None:
        """Pass on whatever may leave by now, and come back for the rest."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting and not (self.shut or self.toxics.drop or self.left == 0):
            patience = self._patience()
            if patience > 0:
                self._timer = self._loop.call_later(patience, self.go)
                break
            self._pass()
        if self._holds_back != (self._size > (ROOM // 2 if self._holds_back else ROOM)):
            self._holds_back = not self._holds_back
            self._hold_back(self._holds_back)

    def clear(self) -> None:
        """Forget everything, also what comes yet: nobody is there any more who could get it."""
        self._is_over = True
        self._waiting.clear()
        self._size = 0
        if self._timer is not None:
            self._timer.cancel()

    def _due(self) -> float:
        """Return when what comes now has arrived; nothing overtakes what came before it."""
        if not (self._delayed and self.toxics.latency):
            return 0.0
        spread = random.uniform(-self.toxics.jitter, self.toxics.jitter)  # noqa: S311  of delays, not of secrets
        due = self._loop.time() + max(0.0, self.toxics.latency + spread)
        return max(due, self._waiting[-1][0]) if self._waiting else due

    def _patience(self) -> float:
        """Return in how many seconds the next piece may leave, at the earliest."""
        due = self._waiting[0][0] if self.toxics.latency else 0.0
        free = self._free_at if self.toxics.rate else 0.0
        return max(due, free) - self._loop.time() if due or free else 0.0

    def _pass(self) -> None:
        due, piece = self._waiting.popleft()
        if not isinstance(piece, bytes):
            self._sink(piece)
            return
        most = len(piece) if self.left is None else self.left
        if self.toxics.rate:
            most = min(most, max(1, int(self.toxics.rate * SLICE)))
        if most < len(piece):
            self._waiting.appendleft((due, piece[most:]))
            piece = piece[:most]
        if self.toxics.rate:
            self._free_at = self._loop.time() + len(piece) / self.toxics.rate
        if self.left is not None:
            self.left -= len(piece)
        self._size -= len(piece)
        self._sink(piece)
