"""Says who is waited for while a stop takes its time, so that nobody takes it for a hang."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from envspec.session.status import SessionStatus
from envspec.units import format_seconds

SOON = 0.3
"""Seconds between looks. A stop that takes less than one is not worth a line."""
NAMED = 3
"""Replicas that are named of those that are waited for."""


@contextmanager
def told_while_stopping(ask: Callable[[], SessionStatus], tell: Callable[[str], None]) -> Iterator[None]:
    """While the block stops a session, `tell` a line whenever somebody else is waited for; `ask` says how it is."""
    over = threading.Event()

    def watch() -> None:
        told = ""
        while not over.wait(SOON):
            words = waited_for(ask())
            if words not in ("", told):
                tell(words)
                told = words

    watcher = threading.Thread(target=watch, name="envspec stopping", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def waited_for(status: SessionStatus) -> str:
    """Return who has been asked to end and still runs, and for how long at most; empty where nobody has."""
    left = [replica for replica in status.services.values() if replica.stopping]
    if not left:
        return ""
    names = ", ".join(replica.name for replica in left[:NAMED])
    more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
    longest = format_seconds(max(replica.stop_timeout for replica in left))
    return f"stopping {status.environment}: waiting for {names}{more} (up to {longest})"
