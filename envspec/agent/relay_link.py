"""One relayed connection: its client's end, its service's end, and the two ways between them."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from envspec.agent.relay_way import Last, Way
from envspec.plan.toxics import Toxics

CUT = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: a socket that is closed with it sends RST and not FIN (socket(7))."""
LOOK_AGAIN = 0.005
"""Seconds between looks whether a client has all that it was to get before its connection is cut."""


class End(asyncio.Protocol):
    """One of the two connections of a link."""

    def __init__(self, into: Way, out: Way, on_open: Callable[[], None], on_lost: Callable[[bool], None]) -> None:
        self.transport: Any = None
        self.ended = False
        self.closed = False
        self._into = into
        self._out = out
        self._on_open = on_open
        self._on_lost = on_lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It can be read and written from now on."""
        self.transport = transport
        self._on_open()

    def data_received(self, data: bytes) -> None:
        """What comes goes to the other end."""
        self._into.take(data)

    def eof_received(self) -> bool:
        """The peer says no more, but may still listen."""
        self.ended = True
        self._into.take(Last.END)
        return True

    def pause_writing(self) -> None:
        """The peer reads more slowly than it is told things."""
        self._out.shut = True

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self._out.shut = False
        self._out.go()

    def connection_lost(self, error: Exception | None) -> None:
        """It is over: by our own hand, or with an error by the peer's."""
        self.closed = True
        self._on_lost(error is not None)

    def hold_back(self, is_full: bool) -> None:  # noqa: FBT001  the callback of a Way
        """Read no further, or read on. One that has ended is never read again: it would end once more."""
        if self.transport is not None and not self.ended:
            (self.transport.pause_reading if is_full else self.transport.resume_reading)()

    def write(self, piece: bytes | Last) -> None:
        """Tell the peer."""
        if piece is Last.CUT:
            self.cut()
        elif piece is Last.END:
            with suppress(OSError):  # the peer has gone meanwhile, which is told next
                self.transport.write_eof()
        else:
            self.transport.write(piece)

    def cut(self) -> None:
        """End it by RST, and let what was not sent yet be lost."""
        if self.transport is not None and not self.closed:
            with suppress(OSError):
                self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CUT)
            self.transport.abort()

    def has_sent_all(self) -> bool:
        """Return whether the peer's kernel has all that was written."""
        if self.transport.get_write_buffer_size():
            return False
        number = fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, b"\0" * 4)
        return not any(number)


class Link:
    """A client, the service that it wanted, and what lies between them. `on_over` is called when nothing is left."""

    def __init__(
        self, toxics: Toxics, connect: Callable[[Callable[[], End]], Any], on_over: Callable[[Link], None]
    ) -> None:
        self._asks, self._answers = Way(delayed=False), Way(delayed=True)
        self.client = End(self._asks, self._answers, self._opened, partial(self._lost, self._answers, self._asks))
        self._service = End(self._answers, self._asks, self._joined, partial(self._lost, self._asks, self._answers))
        self._asks.between(self.client.hold_back, self._service_gets)
        self._answers.between(self._service.hold_back, self._client_gets)
        self._connect = connect
        self._on_over = on_over
        self._connecting: asyncio.Task[None] | None = None
        self._ends = 0
        self.obey(toxics)

    def obey(self, toxics: Toxics) -> None:
        """Do from now on what is ordered; a reset that is new counts from here."""
        before = self._answers.toxics
        self._asks.toxics = self._answers.toxics = toxics
        if not toxics.reset:
            self._answers.left = None
        elif not before.reset or before.after_bytes != toxics.after_bytes:
            self._answers.left = toxics.after_bytes
        if self.client.transport is None:
            return
        if self._connecting is None and not toxics.drop:
            if self.client.ended:
                self._cut()  # it gave up while nothing passed: the service never hears of it
                return
            self._connecting = asyncio.get_running_loop().create_task(self._join())
        self._asks.go()
        self._answers.go()
        self._cut_when_due()

    def _opened(self) -> None:
        self._answers.shut = False
        self.obey(self._answers.toxics)

    async def _join(self) -> None:
        try:
            await self._connect(lambda: self._service)
        except OSError:  # nobody listens there; that we do cannot be undone
            self._cut()
            self._over_if_so()

    def _joined(self) -> None:
        if self.client.closed:
            self._service.cut()
            return
        self._asks.shut = False
        self._asks.go()

    def _service_gets(self, piece: bytes | Last) -> None:
        self._service.write(piece)
        self._note_end(piece)

    def _client_gets(self, piece: bytes | Last) -> None:
        self.client.write(piece)
        self._note_end(piece)
        self._cut_when_due()

    def _note_end(self, piece: bytes | Last) -> None:
        """Close both ends once each has told the other its last."""
        self._ends += piece is Last.END
        if self._ends == 2:
            self.client.transport.close()
            self._service.transport.close()

    def _cut_when_due(self) -> None:
        if self._answers.left != 0 or self.client.closed:
            return
        if self._answers.toxics.after_bytes == 0 or self.client.has_sent_all():
            self._cut()
        else:
            asyncio.get_running_loop().call_later(LOOK_AGAIN, self._cut_when_due)

    def _cut(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
        self._asks.clear()
        self._answers.clear()
        self.client.cut()
        self._service.cut()

    def _lost(self, to_it: Way, from_it: Way, by_peer: bool) -> None:  # noqa: FBT001  the callback of an End
        """Forget what was meant for the lost end; where its peer cut it, the other peer hears of that in its turn."""
        to_it.clear()
        if by_peer:
            from_it.take(Last.CUT)
        if self._service.transport is None and self._connecting is not None:
            self._connecting.cancel()
        self._over_if_so()

    def _over_if_so(self) -> None:
        if self.client.closed and (self._service.closed or self._service.transport is None):
            self._asks.clear()
            self._answers.clear()
            self._on_over(self)
