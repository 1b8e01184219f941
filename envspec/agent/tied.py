"""What ends with the owner though it is no service: the command of `envspec run`, which the owner itself started."""

from __future__ import annotations

import os
import select
import signal
import time

from envspec.agent.calls import Call
from envspec.agent.identity import is_alive, start_time
from envspec.agent.tree import descendants, kill_in_rounds, send

MOMENT_OF_DEATH = 0.5
"""Seconds in which a process whose stream has ended is dead, too, where that is why: the kernel closes it first."""
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
        self._first_asked: float | None = None

    def tie(self, call: Call) -> None:
        """Verb: let a process end with the owner."""
        self._add(int(call["pid"]))
        call.reply()

    def ask(self) -> bool:
        """Ask them to end if the owner is dead; one that lives looks after them itself.

        Returns whether to come back: some have not ended yet, or the owner may be about to die.
        """
        now = time.monotonic()
        self._first_asked = self._first_asked or now
        if not (left := self._left()):
            return False
        if not self._ending and self._owner_is_dead():
            self._ending = True
            for pid in left:
                send(pid, signal.SIGTERM)
                send(pid, signal.SIGCONT)
        return self._ending or now < self._first_asked + MOMENT_OF_DEATH

    def kill(self) -> None:
        """End those that were asked and have not ended."""
        if self._ending:
            kill_in_rounds(self._left, ROUNDS)

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
        return bool(poll.poll(0))
