"""The session's side of lending: who uses it now, and how long it waits for the next user."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol

from envspec.agent.wire import Message, encode, error_to_json
from envspec.errors import EnvspecError, ServiceExitedError, UsageError
from envspec.plan.events import Event, SessionLent, SessionReturned, Warned
from envspec.session.status import SessionStatus
from envspec.units import format_seconds

CREDENTIALS = struct.Struct("iII")
"""struct ucred (unix(7)): pid, uid, gid."""


class Lendable(Protocol):
    """What is lent."""

    @property
    def status(self) -> SessionStatus:
        """What the session looks like now."""

    def record(self, event: Event) -> None:
        """Tell an event."""

    async def renew(self) -> None:
        """Verify health and reset; raises where that fails."""

    async def stop(self, reason: str) -> None:
        """Take the session down."""


class Loans:
    """Lends a session to one user at a time.

    With a `ttl` (seconds), it is stopped when nobody has used it for so long; without, it goes on until it is stopped.
    """

    def __init__(self, session: Lendable, ttl: float | None) -> None:
        self._session = session
        self._ttl = ttl
        self._user = ""
        self._expiry: asyncio.TimerHandle | None = None
        self._stopping: asyncio.Task[None] | None = None

    async def lend(self, message: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Verb `lend`: verify, reset, and answer; the loan lasts as long as the connection does."""
        user, ttl = str(message.get("to") or "somebody"), message.get("ttl")
        try:
            self._check(message)
            self._reserve(user)
            await self._renew()
        except EnvspecError as error:
            writer.write(encode({"error": error_to_json(error)}))
            await writer.drain()
            return
        if self._ttl is not None and ttl is not None:
            self._ttl = float(ttl)
        self.begin(user)
        try:
            writer.write(encode({"ok": {}}))
            await until_gone(reader.read(1), writer)
        finally:
            self.give_back()

    def _check(self, message: Message) -> None:
        status = self._session.status
        if self._user:
            raise UsageError(f"it is lent to {self._user}")
        if status.identity != message.get("identity"):
            raise UsageError(f"its identity is {status.identity or 'not known yet'}")
        self._check_state()

    def _check_state(self) -> None:
        status = self._session.status
        if status.state == "degraded":
            raise ServiceExitedError(f"it is degraded: {status.message}", service="")
        if status.state != "healthy":
            raise UsageError(f"it is {status.state}")

    async def _renew(self) -> None:
        try:
            await self._session.renew()
            self._check_state()
        except BaseException as error:
            if isinstance(error, EnvspecError):
                self._session.record(Warned(message=f"not lent to {self._user}: {error}"))
            self.give_back(told=False)
            raise

    def _reserve(self, user: str) -> None:
        self._user = user
        if self._expiry is not None:
            self._expiry.cancel()

    def begin(self, user: str) -> None:
        """Say that `user` has it."""
        self._reserve(user)
        self._session.record(SessionLent(to=user))

    def give_back(self, *, told: bool = True) -> None:
        """Say that its user is gone; from now on its time runs."""
        self._user = ""
        if self._session.status.state in ("stopping", "stopped"):
            return
        if told:
            self._session.record(SessionReturned(ttl=self._ttl))
        if self._ttl is not None:
            self._expiry = asyncio.get_running_loop().call_later(self._ttl, self._expire, self._ttl)

    def _expire(self, ttl: float) -> None:
        reason = f"nobody used it for {format_seconds(ttl)}"
        self._stopping = asyncio.create_task(self._session.stop(reason))


async def until_gone(spoken: Awaitable[Any], writer: asyncio.StreamWriter) -> None:
    """Return when the other end says something or closes, or when its process is gone.

    The process counts as well because its children may have inherited the connection, and keep it open.
    """
    loop = asyncio.get_running_loop()
    heard = asyncio.ensure_future(spoken)
    died: asyncio.Future[None] = loop.create_future()
    pidfd = _pidfd(writer)
    if pidfd is not None:
        loop.add_reader(pidfd, _done(died))
    try:
        await asyncio.wait([heard, died], return_when=asyncio.FIRST_COMPLETED)
        if heard.done():
            with suppress(OSError):
                heard.result()
    finally:
        heard.cancel()
        if pidfd is not None:
            loop.remove_reader(pidfd)
            os.close(pidfd)


def _done(future: asyncio.Future[None]) -> Callable[[], None]:
    return lambda: None if future.done() else future.set_result(None)


def _pidfd(writer: asyncio.StreamWriter) -> int | None:
    """Return a descriptor of the process at the other end; None where that cannot be had."""
    connection = writer.get_extra_info("socket")
    with suppress(OSError):
        pid, *_ = CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))
        return os.pidfd_open(pid)
    return None
