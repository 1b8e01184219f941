"""A detached session, and the command that started it, as long as that listens."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from envspec.agent.wire import MESSAGE_LIMIT, encode
from envspec.backends.base import Backend
from envspec.errors import EnvspecError, UsageError
from envspec.plan.events import Event, SessionFailed, SessionHealthy, SessionStarting, event_to_json
from envspec.session.loans import Loans, until_gone
from envspec.session.outcome import failed_event
from envspec.session.request import Request
from envspec.session.session import Session
from envspec.session.state import SOCKET
from envspec.session.vanishing import when_vanished


class Terms(NamedTuple):
    """To whom the session is lent from its beginning, empty for nobody, and how long it outlives its last user.

    `ttl` is in seconds; None: until somebody stops it.
    """

    lent_to: str = ""
    ttl: float | None = None


SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Detached:
    """Tells events to whoever started the session until it is healthy or has failed, and then lives on alone.

    Where the terms say so, it is lent to whoever started it, for as long as that holds on to its end of the socket.
    """

    def __init__(
        self, session: Session, terms: Terms, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._session = session
        self._loans = Loans(session, terms.ttl)
        self._terms = terms
        self._reader = reader
        self._writer = writer
        self._released = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Return when the session is over."""
        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._stop, number.name)
        self._session.offer("lend", self._loans.lend)
        starter = self._do(self._watch_starter())
        self._session.subscribe(self._tell)
        with suppress(EnvspecError):  # told by its event; where something was kept for inspection, we go on
            await self._session.start()
        self._released = True
        if self._terms.lent_to and self._session.status.state == "healthy":
            self._loans.begin(self._terms.lent_to)
            await until_gone(starter, self._writer)
            self._loans.give_back()
        self._writer.close()
        await self._session.wait_over()
        with suppress(OSError):  # it is gone
            await self._writer.wait_closed()  # however long it takes it to read the end, which may be long itself

    def _tell(self, event: Event) -> None:
        if not self._released and not self._writer.is_closing():
            self._writer.write(encode(event_to_json(event)))
        self._released |= isinstance(event, SessionHealthy | SessionFailed)
        if isinstance(event, SessionStarting):
            place = Path(event.directory)
            when_vanished(place / SOCKET, lambda: self._stop(f"nobody finds it any more: {place} was cleaned away"))

    async def _watch_starter(self) -> None:
        asked = await self._heard()
        if self._released:
            return
        self._stop("the command that started it was interrupted" if asked else "the command that started it is gone")
        if asked:
            await self._heard()
            self._do(self._session.stop("the command that started it left", force=True))

    async def _heard(self) -> bytes:
        """Return the one thing that the starter may say, or nothing when it is gone."""
        with suppress(OSError):
            return await self._reader.read(1)
        return b""

    def _stop(self, reason: str) -> None:
        self._do(self._session.stop(reason))

    def _do(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def serve(starter: socket.socket, request: Request, backend: Backend | None, terms: Terms) -> None:
    """Run a session until it is over. `starter` is the socket to the command that asked for it."""
    reader, writer = await asyncio.open_unix_connection(sock=starter, limit=MESSAGE_LIMIT)
    try:
        session = Session(request, backend)
    except UsageError as error:
        writer.write(encode(event_to_json(failed_event(error))))
        writer.close()
        await writer.wait_closed()
    else:
        await Detached(session, terms, reader, writer).run()
