"""`envspec up -d`: the environment goes on running when this process has shown that it is healthy."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from pathlib import Path

from envspec.cli import terminal
from envspec.cli.screen import Screen, screen_on
from envspec.cli.sessions import plan_of
from envspec.errors import EnvspecError
from envspec.plan import events as e
from envspec.report.summary import summary
from envspec.session.detach import start_detached
from envspec.session.request import Request
from envspec.session.status import SessionStatus, apply, planned
from envspec.spec.find import name_of


class _Followed:
    """What the session in the other process looks like, from the events that it sends."""

    def __init__(self, request: Request, screen: Screen) -> None:
        self.status = SessionStatus(id="", environment=name_of(request.file), file=str(request.file))
        self._screen = screen

    def event(self, event: e.Event) -> None:
        """Take one event in, and show it."""
        if isinstance(event, e.SessionStarting):
            self.status = replace(self.status, id=event.session, environment=event.environment, file=event.file)
        if isinstance(event, e.PortsLeased) and (plan := plan_of(Path(self.status.dir))) is not None:
            self.status = planned(self.status, plan)
        self.status = apply(self.status, event)
        self._screen.event(event, self.status)


def up_detached(request: Request, form: str) -> int:
    """Start an environment that outlives us; return 0 when it is healthy.

    Raises:
        EnvspecError: it did not start; everything is stopped again.
    """
    screen = screen_on(sys.stderr if form == "json" else sys.stdout)
    followed = _Followed(request, screen)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # from here on Ctrl-C waits until nothing is left
    try:
        status = start_detached(request, followed.event).status()
    except EnvspecError:
        if form == "json" and followed.status.id:
            terminal.show_json(followed.status.to_json())
        raise
    finally:
        screen.close()
    if form == "json":
        terminal.show_json(status.to_json())
    else:
        terminal.show(summary(status, plan_of(Path(status.dir)), detached=True))
    return 0
