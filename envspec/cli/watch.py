"""Puts a session of this process on a screen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from envspec.cli import streams
from envspec.cli.screen import Screen
from envspec.plan.events import Event
from envspec.session.session import Session


def watch(session: Session, screen: Screen) -> Callable[[], Awaitable[None]]:
    """Show a session's events as they come; returns what ends that.

    Nobody to show them to any more (`envspec up | head`, a full disk behind stdout) is a stop, as a closed terminal
    is. Raised from here, the error would come out in the middle of whatever the session is doing; it comes out of what
    is returned, when the session is stopped, and meets who writes what comes last again.
    """
    stopping: list[tuple[OSError, asyncio.Future[None]]] = []

    def show(event: Event) -> None:
        try:
            screen.event(event, session.status)
        except OSError as error:
            if not streams.lost(error):
                raise
            stopping.append((error, asyncio.ensure_future(session.stop("what it says cannot be written"))))

    unsubscribe = session.subscribe(show)

    async def forget() -> None:
        unsubscribe()
        for error, stop in stopping:
            await stop
            raise error

    return forget
