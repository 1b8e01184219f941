"""Speaks to a session in another process through its control socket. Blocking: for commands and tests."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from envspec.agent.identity import stat_fields
from envspec.agent.wire import Message, decode, encode, error_from_json
from envspec.errors import BackendError, EnvspecError, SessionOverError
from envspec.plan.codec import from_json, to_json
from envspec.plan.events import Event, SessionFailed, SessionStopped, event_from_json
from envspec.plan.fault import Order
from envspec.session.log_chunk import LogChunk
from envspec.session.state import RECORD, SOCKET
from envspec.session.status import SessionStatus
from envspec.session.unix_socket import connect
from envspec.units import format_seconds

PATIENCE = 5.0
"""Seconds in which a session must say how it is; stopping and restarting may take as long as they need."""
STOPPED = (["T"], ["t"])
"""States of a process that a signal or a debugger holds (proc(5), /proc/PID/stat)."""


class Control:
    """A session behind its socket. Every call is a connection of its own, so threads may share one.

    Each raises what the session raised, SessionOverError where the session is over, or is before it has answered, and
    BackendError where its process lives and does not answer.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Nothing stays open between calls."""

    def status(self, patience: float | None = None) -> SessionStatus:
        """Return what the session looks like now; `patience` is how many seconds it has to answer (PATIENCE)."""
        __tracebackhide__ = True
        return from_json(SessionStatus, self._ask("status", timeout=patience or PATIENCE))

    def stop(self, reason: str, *, force: bool = False) -> None:
        """Take the session down, and return when nothing runs any more. `force` leaves services one second."""
        self.status()  # for as long as a stop may take, one that hears nothing would be waited for
        try:
            self._ask("stop", reason=reason, force=force)
        except SessionOverError:
            return  # it ended before it could answer

    def fault(self, action: str, name: str, signal: str = "KILL", *, child: str = "", wipe: bool = False) -> None:
        """Do kill, kill_child, pause, resume, restart, stop or start to a service or a replica; returns when done."""
        __tracebackhide__ = True
        self.carry_out(Order(action, name, signal, child, wipe))

    def carry_out(self, order: Order) -> None:
        """Do what is ordered to a service or to what passes through its ports; returns when done."""
        __tracebackhide__ = True
        self.status()
        self._ask("fault", **to_json(order))

    def leave_will(self, ends: Sequence[Order]) -> Callable[[], None]:
        """Have this ordered where our process ends before it calls what is returned, which takes that back."""
        __tracebackhide__ = True
        connection = self._connect()
        try:
            self._told(connection, "will", PATIENCE, ends=[to_json(end) for end in ends])
        except BaseException:
            connection.close()
            raise

        def take_back() -> None:
            with connection, suppress(OSError):  # the session has ended before
                connection.sendall(b"\n")

        return take_back

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
        """Yield all events of the session, those so far first, until it is over.

        A session whose process was killed can say nothing any more: then the last event is one that says so.
        """
        yield from self._hear(self._connect())

    def subscribe(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call `callback` with every event, those so far first, in a thread of its own; returns what ends that.

        A session whose process was killed can say nothing any more: then the last event is one that says so.
        """
        connection, left = self._connect(), threading.Event()

        def follow() -> None:
            for event in self._hear(connection):
                if not left.is_set():
                    callback(event)

        def end() -> None:
            left.set()
            with suppress(OSError):  # the session has ended before
                connection.shutdown(socket.SHUT_RDWR)

        threading.Thread(target=follow, name="envspec events", daemon=True).start()
        return end

    def _hear(self, connection: socket.socket) -> Iterator[Event]:
        over = False
        with connection, suppress(ConnectionError):  # its process was killed
            connection.sendall(encode({"do": "events"}))
            for event in _events(connection):
                over = over or isinstance(event, SessionStopped)
                yield event
        if not over and (gone := self._gone()) is not None:
            yield gone

    def _gone(self) -> SessionFailed | None:
        """Return what there is to say of a session that told no end, if it is over nevertheless."""
        try:
            self.status()
        except (EnvspecError, OSError):  # nobody listens any more, or its end came just now
            message = f"the process of the session {self.directory.name} is gone"
            now = time.time()
            return SessionFailed(error="BackendError", message=message, exit_code=BackendError.exit_code, time=now)
        return None

    def _ask(self, do: str, *, timeout: float | None = None, **arguments: Any) -> Message:
        __tracebackhide__ = True
        with self._connect() as connection:
            return self._told(connection, do, timeout, **arguments)

    def _told(self, connection: socket.socket, do: str, timeout: float | None, **arguments: Any) -> Message:
        __tracebackhide__ = True
        line = b""
        with connection.makefile("rb") as lines, suppress(ConnectionError):  # its process was killed
            connection.settimeout(timeout)
            connection.sendall(encode({"do": do, **arguments}))
            try:
                line = lines.readline()
            except TimeoutError:
                raise _silent(self.directory, timeout or 0.0) from None
        if not line.endswith(b"\n"):
            raise _over(self.directory, "ended before it answered")
        answer = decode(line)
        if "error" in answer:
            raise error_from_json(answer["error"])
        result: Message = answer["ok"]
        return result

    def _connect(self) -> socket.socket:
        __tracebackhide__ = True
        try:
            return connect(self.directory / SOCKET)
        except OSError as error:
            message = f"the session {self.directory.name} does not answer: {error.strerror}"
            raise SessionOverError(message, hint="envspec ps lists the sessions that run") from error


def _over(directory: Path, what: str) -> SessionOverError:
    hint = f"what it left, logs and events, is in {directory}"
    return SessionOverError(f"the session {directory.name} {what}", hint=hint)


def _silent(directory: Path, waited: float) -> EnvspecError:
    """Return the error for a session that took a question and says nothing."""
    try:
        pid = int(json.loads((directory / RECORD).read_text("utf-8"))["pid"])
    except (OSError, ValueError, KeyError):
        return _over(directory, "has just ended")
    message = f"session {directory.name} (pid {pid}) does not answer"
    if stat_fields(pid)[:1] in STOPPED:
        message += ": it is stopped (SIGSTOP)"
        return BackendError(message, hint=f"kill -CONT {pid} lets it go on; kill -KILL {pid} ends it with everything")
    message += f" within {format_seconds(waited)}"
    return BackendError(message, hint=f"it may be busy; kill -KILL {pid} ends it with everything")


def _events(connection: socket.socket) -> Iterator[Event]:
    """Yield what a session tells until it ends, however that is; of a line that it was killed in, nothing."""
    with connection.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n") and (event := event_from_json(decode(line))) is not None:
                yield event
