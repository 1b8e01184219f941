"""What ends with the owner though it is no service: the command of `envspec run`, which the owner itself started."""

from __future__ import annotations

import os
import select
import signal

from envspec.agent.calls import Call
from envspec.agent.identity import is_alive, start_time
from envspec.agent.tree import PAUSE, descendants, send

MOMENT_OF_DEATH = 50
"""Milliseconds in which a process whose stream has ended is dead, too, where that is why: the kernel closes first."""
ROUNDS = 5
"""Rounds of killing: whoever forked meanwhile is met in the next."""


class Tied:
    """Processes that must not outlive a killed owner, and what came of them. Nothing is done to them otherwise.

    They are no children of ours, so they are known by pid and start time, and nobody here waits for them.
    """

    def __init__(self, owner_descriptor: int) -> None:
        self._owner_descriptor = owner_descriptor
        self._known: dict[int, int] = {}
        self._ending = False

    def tie(self, call: Call) -> None:
        """Verb: let a process end with the owner."""
        self._add(int(call["pid"]))
        call.reply()

    def ask(self) -> None:
        """Ask them to end where the owner is dead; one that lives looks after them itself."""
        if not self._left() or not self._owner_is_dead():
            return
        self._ending = True
        for pid in self._left():
            send(pid, signal.SIGTERM)
            send(pid, signal.SIGCONT)

    @property
    def are_ending(self) -> bool:
        """Whether any of them was asked to end, and has not yet."""
        return self._ending and bool(self._left())

    def kill(self) -> None:
        """End those that were asked and have not ended."""
        for _ in range(ROUNDS):
            if not self.are_ending:
                return
            for pid in self._left():
                send(pid, signal.SIGKILL)
            signal.sigtimedwait((), PAUSE)

    def _left(self) -> list[int]:
        """Return those that live, and what came of them meanwhile."""
        for pid in [pid for pid, started in self._known.items() if is_alive(pid, started)]:
            for child in descendants(pid):
                self._add(child)
        return [pid for pid, started in self._known.items() if is_alive(pid, started) and pid != os.getpid()]

    def _add(self, pid: int) -> None:
        if (started := start_time(pid)) is not None:
            self._known[pid] = started

    def _owner_is_dead(self) -> bool:
        poll = select.poll()
        poll.register(self._owner_descriptor, select.POLLIN)
        return bool(poll.poll(MOMENT_OF_DEATH))
