"""Puts a session of this process on a screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from envspec.cli import streams
from envspec.cli.screen import Screen
from envspec.plan.events import Event
from envspec.session.session import Session


def watch(session: Session, screen: Screen) -> Callable[[], None]:
    """Show a session's events as they come; returns what ends that.

    Nobody to show them to any more (`envspec up | head`, a full disk behind stdout) is a stop, as a closed terminal
    is. Raised from here, the error would come out in the middle of whatever the session is doing; who writes what comes
    last meets it again.
    """
    stopping: list[asyncio.Future[None]] = []

    def show(event: Event) -> None:
        try:
            screen.event(event, session.status)
        except OSError as error:
            if not isinstance(error, BrokenPipeError) and not streams.refused(error):
                raise
            stopping.append(asyncio.ensure_future(session.stop("what it says cannot be written")))

    return session.subscribe(show)
