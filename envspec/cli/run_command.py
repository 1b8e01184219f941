"""The life of `envspec run`: an environment around one command."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from envspec.backends.local import LocalBackend
from envspec.cli import streams, terminal
from envspec.cli.foreground_command import foreground
from envspec.cli.interruption import Interruption
from envspec.cli.run_environ import environ_of
from envspec.cli.screen import screen_on
from envspec.cli.watch import watch
from envspec.errors import StoppedError
from envspec.plan.events import SessionStopping
from envspec.report.stopping import told_while_stopping
from envspec.report.summary import stopped
from envspec.report.text import Span, first_line, line
from envspec.session.request import Request
from envspec.session.session import Session

if TYPE_CHECKING:
    from envspec.backends.local import LocalStart


def run_command(request: Request, agent: LocalStart | None, command: Sequence[str]) -> int:
    """Bring an environment up, run a command in it, take it down; return the command's exit code.

    Raises:
        EnvspecError: the environment did not start, or did not stop.
    """
    return asyncio.run(_around(Session(request, LocalBackend(agent) if agent else None), command))


async def _around(session: Session, command: Sequence[str]) -> int:
    screen = screen_on(sys.stderr)
    forget = watch(session, screen)
    try:
        with Interruption(session.stop, screen.close):
            await session.start()
            await forget()
    except StoppedError as stop:
        screen.close()
        terminal.show([stopped(session.status)], sys.stderr)
        return stop.exit_code
    finally:
        screen.close()
    ends: list[SessionStopping] = []
    session.subscribe(lambda event: ends.append(event) if isinstance(event, SessionStopping) else None)
    code = await foreground(command, environ_of(session.status, os.environ), session.tie)
    taken = f"the environment was stopped ({ends[0].reason})" if ends else ""
    if lost := session.status.message or taken:
        _say(("warning: ", "yellow"), f"while the command ran, {first_line(lost)}")
    with Interruption(session.stop, screen.close), told_while_stopping(lambda: session.status, _say):
        await session.stop("the command ended")
    return code


def _say(*words: Span | str) -> None:
    """Write a line, if it can be: from here on the exit code is the command's."""
    with streams.as_far_as_possible():
        terminal.show([line(*words)], sys.stderr)
