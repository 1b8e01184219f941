"""Starts a session that outlives us: `envspec up -d`.

Its events come over a socket until the environment is healthy. That socket is a lifeline till then: should we die,
the session ends. Interrupted, we ask it to end, and then hear how it goes down; should we leave meanwhile, it hurries.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from envspec.agent.launch import spawn_detached
from envspec.agent.wire import Message, decode, encode
from envspec.errors import BackendError, EnvspecError
from envspec.models.places import settled
from envspec.plan.events import (
    Event,
    SessionFailed,
    SessionHealthy,
    SessionStarting,
    SessionStopping,
    event_from_json,
)
from envspec.session.control import Control
from envspec.session.lending import Loan
from envspec.session.outcome import error_of, stopped_before
from envspec.session.request import Request
from envspec.session.state import make_state_directory, state_directory, usable, with_settled_state

STOP = b"\n"
"""What asks the session to end, as long as it is not healthy. Anything but the end of the stream would do."""
LOG = "detached.log"
"""In the state directory: what a detached session prints, which is tracebacks or nothing."""


def start_detached(request: Request, on_event: Callable[[Event], None] | None = None) -> Control:
    """Return when the environment is healthy, with a line to its session. `on_event` hears what happens till then.

    Raises:
        EnvspecError: it did not start; nothing of it is left, but for what `keep_on_failure` leaves.
        StoppedError: somebody stopped it meanwhile.
    """
    with _launched() as stream:
        return _started(stream, _written(request), on_event)


def start_lent(request: Request, to: str, ttl: float, on_event: Callable[[Event], None] | None = None) -> Loan:
    """Do the same, and borrow the session before anybody else can; `to` names us.

    It is stopped when nobody has used it for `ttl` seconds.

    Raises:
        EnvspecError, StoppedError: as for `start_detached`.
    """
    stream = _launched()
    try:
        return Loan(_started(stream, {**_written(request), "lent_to": to, "ttl": ttl}, on_event), stream)
    except BaseException:
        stream.close()
        raise


def _started(stream: socket.socket, message: Message, on_event: Callable[[Event], None] | None) -> Control:
    with stream.makefile("rb") as lines:
        stream.sendall(encode(message))
        try:
            return _follow(_events(lines), on_event)
        except BaseException as error:
            if not isinstance(error, EnvspecError):  # that, the session has told us
                with suppress(OSError):  # it has ended just now
                    stream.sendall(STOP)
            for event in _events(lines):  # anew: an interrupt is the end of a generator
                if on_event is not None:
                    on_event(event)
            raise


def _events(lines: Iterable[bytes]) -> Iterator[Event]:
    with suppress(ConnectionResetError):  # it has ended, and left unheard what we said last
        for line in lines:
            if (event := event_from_json(decode(line))) is not None:
                yield event


def _follow(events: Iterable[Event], on_event: Callable[[Event], None] | None) -> Control:
    directory = reason = ""
    for event in events:
        if on_event is not None:
            on_event(event)
        match event:
            case SessionStarting():
                directory = event.directory
            case SessionHealthy():
                return Control(Path(directory))
            case SessionFailed():
                raise error_of(event)
            case SessionStopping():
                reason = event.reason  # if that is a failure, it comes in the end
    if reason:
        raise stopped_before("the environment", reason)
    log = state_directory() / LOG
    raise BackendError("the detached session ended without a word", hint=f"its output is in {log}")


def _launched() -> socket.socket:
    state = make_state_directory()
    with usable(state):
        ours, theirs = socket.socketpair()
        argv = [sys.executable, "-P", "-m", "envspec.session.daemon", str(theirs.fileno())]
        with theirs:
            environ = with_settled_state(settled(os.environ))
            session = spawn_detached(argv, environ, state / LOG, [theirs.fileno()])
    # Should it end before us, somebody has to take its exit status, or it stays as a zombie.
    threading.Thread(target=session.wait, name="envspec detached", daemon=True).start()
    return ours


def _written(request: Request) -> dict[str, object]:
    return {
        "file": str(request.file.absolute()),
        "sets": dict(request.sets),
        "environ": dict(request.environ),
        "keep_on_failure": request.keep_on_failure,
        "backend": request.backend,
    }
