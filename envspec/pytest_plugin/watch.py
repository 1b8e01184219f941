"""Listens to one environment for what it loses."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from envspec.agent.identity import stat_fields
from envspec.errors import EnvspecError
from envspec.plan.events import Event, SessionFailed
from envspec.pytest_plugin.culprit import Loss, Losses
from envspec.pytest_plugin.wanted import Wanted
from envspec.session.harmless import harmless
from envspec.session.live import Handle
from envspec.session.status import SessionStatus

PF_EXITING = 0x4
"""Flag of a process that is shutting down (include/linux/sched.h; proc(5), /proc/PID/stat, the ninth field)."""
SIGKILL = 1 << 8
"""Its bit among pending signals."""
PENDING = re.compile(r"^(?:SigPnd|ShdPnd):\s*([0-9a-f]+)", re.MULTILINE)


class Watch:
    """Listens to one environment, as long as this process has it, for the first loss.

    `since` says, once that is known, in which test it came, and `told` that the report of a test says so.
    """

    def __init__(self, wanted: Wanted, handle: Handle, name: str, on_loss: Callable[[Watch], None]) -> None:
        self.wanted = wanted
        self.name = name
        self.loss: Loss | None = None
        self.since = ""
        self.told = False
        self._handle = handle
        self._lent = time.time()
        self._on_loss = on_loss
        self._losses = Losses(name)
        self._heard = 0
        self._ended = False
        self._leave: Callable[[], None] = lambda: None
        try:
            self._leave = handle.subscribe(self._hear)
        except EnvspecError as error:  # it ended in just this moment
            self._hear(SessionFailed(error=type(error).__name__, message=str(error)))

    def end(self) -> None:
        """Listen no more."""
        self._ended = True
        self._leave()

    def _hear(self, event: Event) -> None:
        try:
            self._take(event)
        finally:
            self._heard += 1

    def _take(self, event: Event) -> None:
        loss = self._losses.take(event)
        if loss is None or self.loss is not None or self._ended:
            return
        if event.time and event.time < self._lent and not self._lasts(event):
            return
        self.loss = Loss(harmless(loss.what), loss.time or time.time())
        self._on_loss(self)

    def _lasts(self, event: Event) -> bool:
        """Whether what was lost before this process got the environment is missing still."""
        with suppress(EnvspecError, OSError):
            status = self._handle.status()
            replica = status.services.get(getattr(event, "replica", ""))
            return (replica or status).state not in ("healthy", "starting", "succeeded")
        return True

    def is_about_to_tell(self) -> bool:
        """Whether more has happened than was heard, or a process is dead and even the session does not know."""
        with suppress(EnvspecError, OSError):
            if self.loss is None:
                status = self._handle.status()
                return status.events > self._heard or _has_dead(status)
        return self.loss is None


def _has_dead(status: SessionStatus) -> bool:
    return any(_is_dying(replica.pid) for replica in status.services.values() if replica.pid is not None)


def _is_dying(pid: int) -> bool:
    """Whether a process is dead, or about to be: others may find its sockets closed before it is a zombie."""
    fields = stat_fields(pid)
    if fields[:1] in ([], ["Z"], ["X"]) or int(fields[6]) & PF_EXITING:
        return True
    with suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text("utf-8", errors="replace")
        return any(int(signals, 16) & SIGKILL for signals in PENDING.findall(status))
    return True
