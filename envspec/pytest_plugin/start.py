"""Bring an environment up for tests: in a thread of this process, detached where it outlives the run, or borrowed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from envspec.errors import EnvspecError
from envspec.plan.events import Event, SessionReturned, SessionStopped
from envspec.pytest_plugin.naming import Naming
from envspec.pytest_plugin.wanted import Wanted
from envspec.record import Record
from envspec.session.lending import Loan, borrow
from envspec.session.live import Environment, Handle
from envspec.session.request import Request
from envspec.session.status import SessionStatus
from envspec.units import format_seconds

TTL = 1800.0
"""Seconds that `--env-warm` leaves an environment up after its last user."""

PATIENCE = 5.0
"""Seconds that a session has to notice that it was given back."""


class Stay(NamedTuple):
    """Whether an environment outlives the run, and whether one that runs already will do.

    `keep` leaves it up until somebody stops it. `attach` borrows one that is there; `warm` does, too, and what had to
    be started can be borrowed by others then: it ends when nobody has used it for `ttl` seconds.
    """

    keep: bool = False
    attach: bool = False
    warm: bool = False
    ttl: float = TTL

    @classmethod
    def of(cls, option: Callable[[str], Any], *, shared: bool) -> Stay:
        """Return what the options say. One that a module or a test has for itself is neither borrowed nor lent."""
        ttl = option("--env-ttl") or TTL
        return cls(option("--env-keep"), shared and option("--env-attach"), shared and option("--env-warm"), ttl)


class Started(Record):
    """An environment that is up. `kept` says that it outlives the run; `loan` is ours of one that others may borrow.

    `ttl` is how many seconds it waits for its next user, where this run has started it so; `session` is the id of one
    that is kept; `attached` is the seconds that it took to get one which was up before, None where this run started it.
    """

    environment: Environment
    handle: Handle
    kept: bool
    loan: Loan | None = None
    ttl: float | None = None
    session: str = ""
    attached: float | None = None

    def status(self) -> SessionStatus:
        """Return what the session looks like now."""
        return self.handle.status()

    def withdraw(self) -> None:
        """Take down what was started for nobody, also what would outlive the run. One that was borrowed goes back."""
        if self.attached is None:
            self.handle.stop("no test wants it")
        if self.loan is not None:
            self.loan.close()

    def return_broken(self) -> None:
        """Give back one that broke down, and wait until it is free: it can then say what is wrong with it."""
        if self.loan is None:
            return
        began, free = time.time(), threading.Event()

        def hear(event: Event) -> None:
            if isinstance(event, SessionReturned | SessionStopped) and (event.time or 0) >= began:
                free.set()

        try:
            unsubscribe = self.handle.subscribe(hear)
        except EnvspecError:  # it has ended
            self.loan.close()
            return
        self.loan.close()
        free.wait(PATIENCE)
        unsubscribe()

    def leave(self) -> str:
        """Let one that is kept go on without us; return a line that says so, empty where it ran before, too."""
        line = f"is still up: envspec down {self.session}" if self.loan is None else ""
        if self.ttl is not None:
            line = f"stays up for {format_seconds(self.ttl)}: envspec down {self.session}"
        try:
            self.handle.status()
        except (EnvspecError, OSError):  # somebody took it down, or its process was killed, while the tests ran
            line = f"is gone: the session {self.session} ended during the run"
        if self.loan is not None:
            self.loan.close()
        return line


OnEvent = Callable[[Event], None]
OnHandle = Callable[[Handle], None]
Start = Callable[[Wanted, OnEvent, OnHandle], Started]
"""Brings one environment up. Tells what happens, and, before anything does, the handle by which it can be stopped."""


def start(
    request: Request,
    stay: Stay,
    *,
    tell: Callable[[str], None] | None = None,
    on_event: OnEvent | None = None,
    on_handle: OnHandle | None = None,
) -> Started:
    """Start the environment and return when it is healthy.

    Where `stay` allows that, a session that runs already and is what would be started is borrowed instead; `tell`
    hears, a line at a time, why one is not.
    `on_event` hears what happens meanwhile, and later where the session is ours. `on_handle` gets, before anything is
    started, what can stop it from another thread; a detached one ends with the process that started it.

    Raises:
        EnvspecError: it did not start; nothing of it is left.
    """
    us = f"pytest in {Path.cwd()} (pid {os.getpid()})"
    if stay.attach or stay.warm:
        ttl, began = stay.ttl if stay.warm else None, time.monotonic()
        loan = borrow(request, us, tell or (lambda _: None), ttl=ttl, replace=stay.warm)
        if loan is not None:
            return _lent(loan, attached=time.monotonic() - began)
    if stay.warm:
        from envspec.session.detach import start_lent

        loan = start_lent(request, us, stay.ttl, on_event)
        return _lent(loan, ttl=stay.ttl)
    if stay.keep:
        from envspec.session.detach import start_detached

        control = start_detached(request, on_event)
        return Started(Environment(control), control, kept=True, session=control.directory.name)
    from envspec.session.thread import BackgroundSession

    handle = BackgroundSession(request)
    if on_handle is not None:
        on_handle(handle)
    handle.start(on_event)
    return Started(Environment(handle), handle, kept=False)


def start_of(option: Callable[[str], Any], naming: Naming, tell: Callable[[str], None]) -> Start:
    """Return what starts environments as the options of a run say."""

    def begin(wanted: Wanted, on_event: OnEvent, on_handle: OnHandle) -> Started:
        stay = Stay.of(option, shared=not wanted.instance)
        return start(naming.request(wanted.name), stay, tell=tell, on_event=on_event, on_handle=on_handle)

    return begin


def _lent(loan: Loan, *, ttl: float | None = None, attached: float | None = None) -> Started:
    control = loan.control
    session = control.directory.name
    return Started(Environment(control), control, kept=True, loan=loan, ttl=ttl, session=session, attached=attached)
