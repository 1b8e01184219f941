"""The agent's end of the stream: reads requests, writes replies and notices, and never blocks."""

from __future__ import annotations

import select
import socket
import sys
import time
from collections import deque
from collections.abc import Callable

from envspec.agent.loop import READ, WRITE, Loop
from envspec.agent.wire import Message, OutputQueue, Splitter, WireError, decode

CHUNK = 65536
TURN = 0.010
"""Seconds after which no further message of those that have come is handed on before the loop has gone round. One read
may hold the starts of a hundred services, each of a millisecond, in which no death was noticed."""


class Connection:
    """A socket on the loop. `on_message` gets each message, `on_lost` is called once when the stream has ended.

    What is not handed on by then is dropped: nobody is left who would hear the answers.
    """

    def __init__(
        self, loop: Loop, stream: socket.socket, on_message: Callable[[Message], None], on_lost: Callable[[], None]
    ) -> None:
        stream.settimeout(0)
        self._loop = loop
        self._stream = stream
        self._on_message = on_message
        self._on_lost = on_lost
        self._splitter = Splitter()
        self._received: deque[Message] = deque()
        self._queue = OutputQueue()
        self._open = True
        self._silent = False
        self._to_write = self._blocked = False
        loop.watch(stream.fileno(), self._ready)

    def send(self, message: Message, *, droppable: bool = False) -> None:
        """Queue a message. All of one round of the loop are written together, behind what else the round does."""
        if not self._open or self._silent:
            return
        self._queue.put(message, droppable=droppable)
        if not self._to_write:
            self._to_write = True
            self._loop.after(0.0, self._write)

    def fall_silent(self) -> None:
        """Queue nothing any more. What is queued is still written."""
        self._silent = True

    def flush(self, seconds: float) -> None:
        """Write what is queued, waiting at most `seconds`; for the last words of a closing agent."""
        deadline = time.monotonic() + seconds
        while self._open and self._queue.head() and (left := deadline - time.monotonic()) > 0:
            select.select([], [self._stream], [], left)
            self._write()

    def _ready(self) -> None:
        self._write()
        self._read()

    def _read(self) -> None:
        try:
            data = self._stream.recv(CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._lose()
            return
        if not data:
            self._lose()
            return
        try:
            messages = [decode(line) for line in self._splitter.feed(data)]
        except WireError as error:
            sys.excepthook(WireError, error, error.__traceback__)  # it stands in agent.log
            self._lose()
            return
        if messages and not self._received:  # else the next turn is due already
            self._loop.after(0.0, self._hand_on)
        self._received += messages

    def _hand_on(self) -> None:
        """Hand on what has come, in its order, for a TURN; the rest behind what else is ready by then."""
        end = time.monotonic() + TURN
        while self._received and time.monotonic() < end:
            self._on_message(self._received.popleft())
        if self._received:
            self._loop.after(0.0, self._hand_on)

    def _write(self) -> None:
        self._to_write = False
        try:
            while self._open and (head := self._queue.head()):
                self._queue.sent(self._stream.send(head))
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._lose()
        if self._open and self._blocked != bool(self._queue.head()):
            self._blocked = not self._blocked
            self._loop.watch(self._stream.fileno(), self._ready, READ | WRITE if self._blocked else READ)

    def _lose(self) -> None:
        if self._open:
            self._open = False
            self._received.clear()
            self._loop.forget(self._stream.fileno())
            self._on_lost()
