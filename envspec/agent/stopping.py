"""Taking a replica down: its signal, its grace, then SIGKILL, until nothing of its tree is left."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from envspec.agent.calls import Node
from envspec.agent.family import Family
from envspec.agent.loop import Timer
from envspec.agent.tree import KILL_PATIENCE, command_of, send, send_group
from envspec.record import Record

ORPHANS_GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL for descendants whose leader is gone: nobody is left who could wait for them."""
LOOK_AGAIN = 0.005
"""Seconds between looks at a tree whose end no pidfd announces."""


class Outcome(Record):
    """How a stop ended: whether grace ran out, and who survived even SIGKILL ("123 command …")."""

    killed: bool
    survivors: tuple[str, ...]


class Stopping:
    """One replica on its way down."""

    def __init__(self, node: Node, family: Family, replica: str, leader: int) -> None:
        self._loop = node.loop
        self._reaper = node.reaper
        self._shared_memory = node.shared_memory
        self._family = family
        self._replica = replica
        self._leader = leader
        self._deadline = float("inf")
        self._killed: float | None = None
        self._told_orphans = False
        self._timer = Timer(lambda: None)
        self._waiting: list[Callable[[Outcome], None]] = []

    def when_done(self, callback: Callable[[Outcome], None]) -> None:
        """Call `callback` once nothing is left, or nothing more can be done."""
        self._waiting.append(callback)

    def ask(self, number: int, timeout: float) -> None:
        """Send the stop signal to the leader's group, SIGKILL to the whole tree after `timeout` seconds.

        Asked again, it signals again, and the earlier end of grace counts.
        """
        # Asked before the signal, so that whoever daemonises in fright is known already.
        tree = self._family.tree(self._replica)
        self._shared_memory.look(self._replica, tree)
        if self._reaper.knows(self._leader) and not send_group(self._leader, number):
            send(self._leader, number)
        for pid in tree:
            send(pid, signal.SIGCONT)  # a paused process meets its signal only when it runs again
        self._deadline = min(self._deadline, time.monotonic() + timeout)
        self._step()

    def look(self) -> None:
        """See how far it is, soon: the leader has just exited."""
        self._again(0.0)

    def _again(self, seconds: float) -> None:
        self._timer.cancel()
        self._timer = self._loop.after(seconds, self._step)

    def _step(self) -> None:
        self._reaper.reap()
        tree = self._family.tree(self._replica)
        now = time.monotonic()
        if not tree or (self._killed is not None and now > self._killed + KILL_PATIENCE):
            self._finish(tree)
        elif now >= self._deadline:
            self._kill(tree, now)
        elif self._reaper.knows(self._leader):
            # Its pidfd wakes us; a hundred services that stop at once are not looked at in turns.
            self._again(self._deadline - now)
        else:
            self._tell_orphans(tree, now)

    def _kill(self, tree: list[int], now: float) -> None:
        self._killed = self._killed or now
        for pid in tree:
            send(pid, signal.SIGKILL)
        self._again(LOOK_AGAIN)

    def _tell_orphans(self, tree: list[int], now: float) -> None:
        if not self._told_orphans:
            self._told_orphans = True
            self._deadline = min(self._deadline, now + ORPHANS_GRACE)
            for pid in tree:
                send(pid, signal.SIGTERM)
        self._again(LOOK_AGAIN)

    def _finish(self, tree: list[int]) -> None:
        self._timer.cancel()
        self._shared_memory.remove(self._replica)
        outcome = Outcome(self._killed is not None, tuple(f"{pid} {command_of(pid)}" for pid in tree))
        waiting, self._waiting = self._waiting, []
        for callback in waiting:
            callback(outcome)
