"""Bring an environment up for tests: in a thread of this process, or detached where it should outlive the run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from envspec.plan.events import Event
from envspec.session.live import Environment, Handle
from envspec.session.request import Request
from envspec.session.status import SessionStatus


@dataclass(frozen=True)
class Started:
    """An environment that is up. `kept` says that it outlives the run."""

    environment: Environment
    handle: Handle
    kept: bool

    def status(self) -> SessionStatus:
        """Return what the session looks like now."""
        return self.handle.status()

    def stop(self, *, force: bool = False) -> None:
        """Take it down, and wait until nothing is left; with `force`, services get a second."""
        self.handle.stop("the tests are done", force=force)


def start(
    file: Path,
    sets: Mapping[str, str],
    *,
    keep: bool,
    on_event: Callable[[Event], None] | None = None,
    on_handle: Callable[[Handle], None] | None = None,
) -> Started:
    """Start the environment and return when it is healthy.

    `on_event` hears what happens meanwhile, and later where the session is ours. `on_handle` gets, before anything is
    started, what can stop it from another thread; a detached one ends with the process that started it.

    Raises:
        EnvspecError: it did not start; nothing of it is left.
    """
    request = Request(file=file, sets=sets, environ=dict(os.environ))
    if keep:
        from envspec.session.detach import start_detached

        handle: Handle = start_detached(request, on_event)
    else:
        from envspec.session.thread import BackgroundSession

        handle = BackgroundSession(request)
        if on_handle is not None:
            on_handle(handle)
        handle.start(on_event)
    return Started(Environment(handle), handle, kept=keep)
