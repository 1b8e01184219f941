"""Hands tests out to xdist's workers: one environment's tests over all of them, one environment after the other.

xdist's own `load` sends long runs of tests, so that each worker would be in an environment of its own, and its
`loadgroup` keeps each group on one worker.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import groupby

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScheduling
from xdist.workermanage import WorkerController

from envspec.pytest_plugin.keys import POOL
from envspec.pytest_plugin.wanted import Wanted

AHEAD = 2
"""Tests that a worker must have, since it runs one only when it knows the next."""
SHARE = 4
"""A worker gets this part of its share of what is left of a group, so that all are done with it at the same time."""
SLOW = 0.1
"""Seconds of a test (as in xdist) from which on a worker gets no more of them than it needs."""


class EnvironmentScheduling(LoadScheduling):
    """As `load`, in chunks that do not cross groups. Where no test wants an environment, it is `load`."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        self._ends: list[int] = []

    def schedule(self) -> None:
        """Begin to hand out tests, or go on where a worker has joined."""
        pool = self.config.stash.get(POOL, None)
        if self.collection is not None or pool is None or not pool.groups:
            super().schedule()
            return
        if not self._check_nodes_have_same_collection():
            return
        self.collection = next(iter(self.node2collection.values()))
        self._ends = _ends([pool.groups.get(test, ()) for test in self.collection])
        self.pending[:] = range(len(self.collection))
        for _ in range(AHEAD):  # in rounds: with few tests, all workers get one
            for node in self.nodes:
                self._hand_out(node)
        if not self.pending:
            for node in self.nodes:
                node.shutdown()

    def check_schedule(self, node: WorkerController, duration: float = 0) -> None:
        """Give a worker what it needs to go on; nothing is left: let it end."""
        if not self._ends:
            super().check_schedule(node, duration)
            return
        if node.shutting_down:
            return
        while self.pending and len(self.node2pending[node]) < max(AHEAD, 0 if duration >= SLOW else self._chunk() // 2):
            self._hand_out(node)
        if not self.pending:
            node.shutdown()  # after what it has; without that it would wait for a next test before its last one

    def remove_node(self, node: WorkerController) -> str | None:
        """Take back what a worker did not come to, in its place in the order; return what it was running."""
        if not self._ends:
            return super().remove_node(node)
        left = self.node2pending.pop(node)
        if not left or self.collection is None:
            return None
        self.pending[:] = sorted([*left[1:], *self.pending])
        for other in self.nodes:
            self.check_schedule(other)
        return self.collection[left[0]]

    def _hand_out(self, node: WorkerController) -> None:
        self._send_tests(node, self._chunk())

    def _chunk(self) -> int:
        """Return how many tests of the group at the head a worker gets at a time."""
        if not self.pending:
            return 0
        left = bisect_left(self.pending, self._ends[self.pending[0]])
        chunk = max(1, left // len(self.nodes) // SHARE)
        return min(chunk, self.maxschedchunk or chunk)


def _ends(wanted: Sequence[tuple[Wanted, ...]]) -> list[int]:
    """Return for each test where its group ends: the position after the last of it."""
    ends: list[int] = []
    for _, group in groupby(wanted):
        size = len(list(group))
        ends += [len(ends) + size] * size
    return ends
