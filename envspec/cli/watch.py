"""Puts a session of this process on a screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from envspec.cli.screen import Screen
from envspec.plan.events import Event
from envspec.session.session import Session


def watch(session: Session, screen: Screen) -> Callable[[], None]:
    """Show a session's events as they come; returns what ends that.

    Nobody to show them to any more (`envspec up | head`) is a stop, as a closed terminal is.
    """
    stopping: list[asyncio.Future[None]] = []

    def show(event: Event) -> None:
        try:
            screen.event(event, session.status)
        except BrokenPipeError:
            # Raised from here, it would come out in the middle of whatever the session is doing.
            stopping.append(asyncio.ensure_future(session.stop("nobody reads what it says")))

    return session.subscribe(show)
