"""What was ordered of a process, and when: whether it ends because of that, or has crashed."""

from __future__ import annotations

import math
from signal import Signals
from typing import TYPE_CHECKING

from envspec.plan.plan import ReplicaPlan, Stop

if TYPE_CHECKING:  # an attempt holds one
    from envspec.session.attempt import Exit

SURVIVED = frozenset({"SIGCHLD", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGWINCH", "SIGUSR1", "SIGUSR2"})
"""Signals of which no process ends that does not end itself, and the two that have no meaning but the program's: all
others end one that says nothing of them."""
ON_RESUME = 10.0
"""Seconds after a resume in which the pause may show: leases and sessions that ran out meanwhile are noticed at their
next renewal, and etcd's and Dynamo's default to 10 s."""


class Aftermath:
    """Remembers the signals that a user sent to one process and to what is below it.

    Times are monotonic seconds. A signal that ends processes may take the service's stop timeout to do so, the default
    at least. Paused is what was sent STOP and has not gone on since.
    """

    def __init__(self, stop: Stop | None = None, deaf: float = 0.0) -> None:
        stop = stop or Stop()
        self._stop_signal = _name(stop.signal)
        # One below the default is there to have it killed soon, and says nothing of how long it takes by itself.
        self._grace = max(stop.timeout, Stop.timeout)
        self._deaf = deaf
        self._signals: set[str] = set()
        self._paused: set[int] = set()
        self._ends_until = -math.inf
        self._deaf_until = -math.inf

    @classmethod
    def of(cls, plan: ReplicaPlan) -> Aftermath:
        """Return that of a replica; its liveness takes a while to notice that what answered is gone."""
        watched = plan.liveness
        slowest = max((check.timeout for check in plan.health), default=0.0)
        return cls(plan.stop, (watched.every + slowest) * watched.failures if watched else 0.0)

    def sent(self, signal: str, now: float, child: int = 0) -> None:
        """Note a signal, as a name without SIG, to the process or to a `child`, which is the pid of a descendant."""
        name = _name(signal)
        if not child:
            self._signals.add(name)
        if name == "SIGSTOP":
            self._paused.add(child)
        elif name == "SIGCONT":
            self._go_on(child, now)
        elif child or name not in SURVIVED or name == self._stop_signal:
            if name == "SIGKILL":
                self._paused.discard(child)
            self._expect(now + self._grace)

    @property
    def paused(self) -> bool:
        """Whether it, or something below it, stands still."""
        return bool(self._paused)

    def explains(self, ended: Exit | None, now: float) -> bool:
        """Return whether an end that is heard of now is the user's doing; None is one that answers no more."""
        if self._paused:
            return True
        if ended is None:
            return now <= self._deaf_until
        return ended.signal in self._signals or now <= self._ends_until

    def _go_on(self, child: int, now: float) -> None:
        """A process goes on with all that is below it, a child alone."""
        woken = self._paused & {child} if child else set(self._paused)
        self._paused -= woken
        if woken:
            self._expect(now + ON_RESUME)

    def _expect(self, until: float) -> None:
        self._ends_until = max(self._ends_until, until)
        self._deaf_until = max(self._deaf_until, until + self._deaf)


def _name(signal: str) -> str:
    """Return the one name under which a signal's death is told, which has others: IOT is ABRT."""
    return Signals[f"SIG{signal}"].name
