"""Which processes belong to which replica, also after they daemonised."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from envspec.agent.identity import stat_fields
from envspec.agent.traces import Home, Traces
from envspec.agent.tree import children, descendants

SESSION_TAG = "ENVSPEC_SESSION"
REPLICA_TAG = "ENVSPEC_REPLICA"
OWNER_TAG = "ENVSPEC_OWNER"
"""A variable that the owner of an heir has during a load. It tells whoever daemonises: the second of two forks in a row
may be nobody's child by the time we look. It is not all, since who writes a title, as vLLM's engines do, wipes it."""

PROBE_TAG = "ENVSPEC_PROBE"
"""A variable of a command that a prober runs: the prober's pid and a number. By it is found what has daemonised out of
the command's tree, and what has lost its prober."""


def tags(pid: int) -> dict[str, str]:
    """Return the tags of ours that a process was started with.

    Empty when it is gone, a zombie, another user's, or has written its title over them.
    """
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return {}
    wanted = tuple(f"{name}=".encode() for name in (SESSION_TAG, REPLICA_TAG, OWNER_TAG, PROBE_TAG))
    texts = [entry.decode(errors="replace") for entry in environment.split(b"\0") if entry.startswith(wanted)]
    return {name: value for name, _, value in (text.partition("=") for text in texts)}


class Family:
    """Knows the leaders of all replicas and finds everything that came of them.

    Whoever daemonises becomes a child of the agent, a stray. It is recognised by the tags in its environment, else
    by its session, else because it was seen below a leader before, else by the traces that it bears.
    """

    def __init__(self, session: str) -> None:
        self._session = session
        self._leaders: dict[str, int] = {}
        self._alive: set[int] = set()
        self._seen: dict[int, str] = {}
        self._traces = Traces()

    def add(self, replica: str, leader: int, home: Home) -> None:
        """Take in a replica that was just spawned."""
        self._traces.add(replica, home)
        self._leaders[replica] = leader
        self._alive.add(leader)

    def leader_reaped(self, replica: str) -> None:
        """Note that the leader's number may mean somebody else from now on; its session's number cannot yet."""
        self._alive.discard(self._leaders[replica])

    def remove(self, replica: str) -> None:
        """Forget a replica of which nothing is left."""
        self._leaders.pop(replica, None)
        self._seen = {pid: name for pid, name in self._seen.items() if name != replica}

    def leader_first(self, replica: str) -> Iterator[int]:
        """Yield the pids of a replica, and look for others than its leader only where those are asked for."""
        leader = self._living_leader(replica)
        yield from leader
        yield from (pid for pid in self.tree(replica) if pid not in leader)

    def tree(self, replica: str) -> list[int]:
        """Return the pids of a replica, leader first."""
        roots = self._living_leader(replica)
        strays = [pid for pid in children(os.getpid()) if pid not in self._alive and self._owner(pid) == replica]
        found = roots + strays
        for root in (*roots, *strays):
            found += descendants(root)
        self._seen.update(dict.fromkeys(found, replica))
        return found

    def _living_leader(self, replica: str) -> list[int]:
        leader = self._leaders.get(replica, 0)
        return [leader] if leader in self._alive else []

    def _owner(self, stray: int) -> str | None:
        tag = tags(stray)
        if tag.get(SESSION_TAG) == self._session and tag.get(REPLICA_TAG) in self._leaders:
            return tag[REPLICA_TAG]
        # A session's number is not given to another process while anybody is in that session.
        fields = stat_fields(stray)
        session = int(fields[3]) if fields else -1
        by_session = (name for name, leader in self._leaders.items() if leader == session)
        return next(by_session, None) or self._seen.get(stray) or self._traces.owner(stray)
