"""`envspec up` in the foreground: the environment lives as long as this process."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from envspec.backends.local import LocalBackend
from envspec.cli import terminal
from envspec.cli.interruption import Interruption
from envspec.cli.screen import screen_on
from envspec.cli.watch import watch
from envspec.errors import ServiceError, StoppedError
from envspec.report.failure import failure, failure_lines
from envspec.report.summary import stopped, summary
from envspec.report.text import BLANK, line
from envspec.session.request import Request
from envspec.session.session import Session

if TYPE_CHECKING:
    from envspec.backends.local import LocalStart

LEFT_UP = line("What runs is left as it is, to look at; ", ("Ctrl-C", "bold"), " stops it.")


def up_foreground(request: Request, agent: LocalStart | None, form: str) -> int:
    """Run an environment until a signal comes or it is over; return the exit code.

    Raises:
        EnvspecError: it did not start; everything is stopped again.
    """
    return asyncio.run(_run(request, agent, as_json=form == "json"))


async def _run(request: Request, agent: LocalStart | None, *, as_json: bool) -> int:
    session = Session(request, LocalBackend(agent) if agent else None)
    stream = sys.stderr if as_json else sys.stdout
    screen = screen_on(stream)
    watch(session, screen)
    try:
        with Interruption(session.stop, screen.close):
            try:
                code = await _live(session, request, as_json=as_json)
            finally:
                await session.stop("it is over")
    finally:
        screen.close()
    terminal.show([stopped(session.status)], stream)
    return code


async def _live(session: Session, request: Request, *, as_json: bool) -> int:
    """Bring it up, show where things are, and wait until it is over; return the exit code."""
    try:
        await session.start()
    except StoppedError as stop:
        return stop.exit_code
    except ServiceError as error:
        if not request.keep_on_failure:
            raise
        terminal.show([*failure(error), BLANK, LEFT_UP], sys.stderr)
        await session.wait_over()
        return error.exit_code
    if as_json:
        terminal.show_json(session.status.to_json())
    else:
        limit = terminal.size(sys.stdout)[0]
        terminal.show([*summary(session.status, session.plan, detached=False, limit=limit), BLANK])
    await session.wait_over()
    return _verdict(session)


def _verdict(session: Session) -> int:
    """Return 0 where the environment was whole until somebody stopped it; else tell what was lost."""
    status = session.status
    if not status.message:
        return 0
    terminal.show(failure_lines(status.message, status.hint), sys.stderr)
    return status.exit_code or ServiceError.exit_code
