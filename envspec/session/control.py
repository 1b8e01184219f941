"""Speaks to a session in another process through its control socket. Blocking: for commands and tests."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from envspec.agent.wire import Message, decode, encode, error_from_json
from envspec.errors import UsageError
from envspec.plan.codec import from_json
from envspec.plan.events import Event, event_from_json
from envspec.session.log_chunk import LogChunk
from envspec.session.state import SOCKET
from envspec.session.status import SessionStatus
from envspec.session.unix_socket import connect

PATIENCE = 10.0
"""Seconds in which a session must say how it is; stopping and restarting may take as long as they need."""


class Control:
    """A session behind its socket. Every call is a connection of its own, so threads may share one.

    Each raises what the session raised, and UsageError where the session is over.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Nothing stays open between calls."""

    def status(self) -> SessionStatus:
        """Return what the session looks like now."""
        return from_json(SessionStatus, self._ask("status", timeout=PATIENCE))

    def stop(self, reason: str, *, force: bool = False) -> None:
        """Take the session down, and return when nothing runs any more. `force` leaves services one second."""
        try:
            self._ask("stop", reason=reason, force=force)
        except ConnectionError:
            return  # it ended before it could answer

    def fault(self, action: str, name: str, signal: str = "KILL") -> None:
        """Do kill, pause, resume, restart, stop or start to a service or a replica; returns when it is done."""
        self._ask("fault", action=action, name=name, signal=signal)

    def log(self, replica: str, offset: int, limit: int) -> LogChunk:
        """Return a piece of what a replica wrote; a negative `offset` counts from the end."""
        answer = self._ask("log", replica=replica, offset=offset, limit=limit)
        return from_json(LogChunk, {**answer, "data": base64.b64decode(answer["data"])})

    def read_log(self, replica: str, offset: int, limit: int) -> tuple[bytes, int]:
        """Return bytes of a log and the offset after them."""
        chunk = self.log(replica, offset, limit)
        return chunk.data, chunk.end

    def secrets(self) -> tuple[str, ...]:
        """Return what must be masked in its logs, which services write as they like."""
        return tuple(self._ask("secrets", timeout=PATIENCE)["secrets"])

    def events(self) -> Iterator[Event]:
        """Yield all events of the session, those so far first, until it is over."""
        with self._connect() as connection, connection.makefile("rb") as lines:
            connection.sendall(encode({"do": "events"}))
            for line in lines:
                if (event := event_from_json(decode(line))) is not None:
                    yield event

    def _ask(self, do: str, *, timeout: float | None = None, **arguments: Any) -> Message:
        with self._connect() as connection, connection.makefile("rb") as lines:
            connection.settimeout(timeout)
            connection.sendall(encode({"do": do, **arguments}))
            try:
                line = lines.readline()
            except TimeoutError:
                raise self._silent("it took the question, and says nothing") from None
        if not line:
            raise ConnectionResetError(f"the session {self.directory.name} ended without an answer")
        answer = decode(line)
        if "error" in answer:
            raise error_from_json(answer["error"])
        result: Message = answer["ok"]
        return result

    def _connect(self) -> socket.socket:
        try:
            return connect(self.directory / SOCKET)
        except OSError as error:
            raise self._silent(str(error.strerror)) from error

    def _silent(self, why: str) -> UsageError:
        hint = "envspec ps lists the sessions that run; one whose process was stopped (SIGSTOP) cannot answer"
        return UsageError(f"the session {self.directory.name} does not answer: {why}", hint=hint)
