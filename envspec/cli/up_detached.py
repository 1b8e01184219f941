"""`envspec up -d`: the environment goes on running when this process has shown that it is healthy.

Whoever reads that may leave at any time (`envspec up -d | head -1`): that is no reason to stop what is meant to outlive
us. Output that cannot be written, as on a full disk, is one: nobody would know of the session.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from envspec.cli import streams, terminal
from envspec.cli.interruption import INTERRUPTED, LEFT_BEHIND, as_interrupts, no_interrupts
from envspec.cli.screen import screen_on
from envspec.cli.sessions import plan_of
from envspec.errors import EnvspecError
from envspec.plan import events as e
from envspec.report.summary import stopped, summary
from envspec.session.control import Control
from envspec.session.detach import start_detached
from envspec.session.request import Request
from envspec.session.status import SessionStatus, apply, planned
from envspec.spec.find import name_of


class _Followed:
    """What the session in the other process looks like, from the events that it sends."""

    def __init__(self, request: Request, stream: TextIO) -> None:
        self.status = SessionStatus(id="", environment=name_of(request.file), file=str(request.file))
        self.screen = screen_on(stream)
        self.unread: OSError | None = None
        self._stream = stream

    def event(self, event: e.Event) -> None:
        """Take one event in, and show it."""
        if isinstance(event, e.SessionStarting):
            self.status = replace(self.status, id=event.session, environment=event.environment, file=event.file)
        if isinstance(event, e.PortsLeased) and (plan := plan_of(Path(self.status.dir))) is not None:
            self.status = planned(self.status, plan)
        self.status = apply(self.status, event)
        try:
            self.screen.event(event, self.status)
        except OSError as error:
            if not streams.lost(error):
                raise
            streams.give_up(self._stream.fileno())  # what comes now is for nobody, and must not fail again
            self.unread = error
            if not isinstance(error, BrokenPipeError):
                raise


def up_detached(request: Request, form: str) -> int:
    """Start an environment that outlives us; return 0 when it is healthy.

    Raises:
        EnvspecError: it did not start; everything is stopped again.
    """
    stream = sys.stderr if form == "json" else sys.stdout
    followed = _Followed(request, stream)
    as_interrupts()  # from here on the first of them waits until nothing is left
    try:
        control = start_detached(request, followed.event)
    except EnvspecError:
        if form == "json" and followed.status.id:
            terminal.show_json(followed.status.to_json())
        raise
    except KeyboardInterrupt as interrupt:
        followed.screen.close()
        return _interrupted(followed.status, stream, str(interrupt))
    finally:
        followed.screen.close()
    _show(control, form)
    if followed.unread is not None and form != "json":
        raise followed.unread
    return 0


def _show(control: Control, form: str) -> None:
    """Show where things are. Where that cannot be written, the session ends: nobody would know of it.

    Who has read that it is up must not be told by the exit code that it was stopped, however late Ctrl-C comes.
    """
    status = control.status()
    no_interrupts()
    try:
        if form == "json":
            terminal.show_json(status.to_json())
        else:
            limit = terminal.size(sys.stdout)[0]
            terminal.show(summary(status, plan_of(Path(status.dir)), detached=True, limit=limit))
    except BrokenPipeError:
        raise
    except BaseException:  # whatever it is: nobody is told
        as_interrupts()
        control.stop("where it is cannot be written")
        raise


def _interrupted(status: SessionStatus, stream: TextIO, reason: str) -> int:
    """Say what became of the session: it is stopped, or a second Ctrl-C did not wait for that."""
    if status.state == "healthy":  # it was so before it heard of us, and released
        Control(Path(status.dir)).stop(reason or "Ctrl-C")
    if status.state in ("starting", "stopping") and status.id:
        terminal.show([LEFT_BEHIND], sys.stderr)
    else:
        terminal.show([stopped(status)], stream)
    return INTERRUPTED
