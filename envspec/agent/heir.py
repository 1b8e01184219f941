"""Ending what the engines of a killed process leave behind.

An engine that is loaded into a process (vLLM's into a test) starts processes of its own. They are that process's
children, not ours, and its death hands them to init. So it gets an heir beside it, which notes whom each load brings
and ends them when the owner dies with engines loaded. It sleeps except during a load.

Run as `python -I -S -c CODE OWNER` with the stream as descriptor 0 (envspec.agent.launch).
"""

from __future__ import annotations

import os
import select
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from envspec.agent.family import OWNER_TAG, REPLICA_TAG, tags
from envspec.agent.identity import is_alive, start_time
from envspec.agent.owner import watch_owner
from envspec.agent.shared_memory import SharedMemory
from envspec.agent.tree import children, kill_in_rounds, own_processes

LOADING, LOADED, GOODBYE, NOTED = b"<", b">", b".", b"!"
"""What the owner says, and what it hears once the first two are done."""
LOOK_EVERY = 0.1
"""Seconds between looks during a load. One takes 2 ms where the owner has a hundred threads."""
_ENDS_BY_ITSELF = b"from envspec.agent."
"""In the command lines of guardians and heirs: they see the owner's death themselves, and have their own to end."""

Process = tuple[int, int]
"""A pid and its start time."""


def owner_tag(owner: int) -> str:
    """Return the value of OWNER_TAG during the loads of process `owner`."""
    return f"{owner}-{start_time(owner)}"


def main() -> NoReturn:
    """Take note until the owner says goodbye; if it dies before, end what is left of its engines."""
    owner = int(sys.argv[1])
    descriptor = watch_owner(owner)
    heir = Heir(owner)
    if not _goodbye_heard(heir, descriptor, socket.socket(fileno=os.dup(0))):
        heir.end()
    sys.exit(0)


def _goodbye_heard(heir: Heir, owner: int, stream: socket.socket) -> bool:
    """Return whether the owner said goodbye before it died. The stream alone cannot tell: its forks have it, too."""
    poll = select.poll()
    poll.register(owner, select.POLLIN)
    poll.register(stream, select.POLLIN)
    while True:
        ready = [descriptor for descriptor, _ in poll.poll(LOOK_EVERY * 1000 if heir.is_loading else None)]
        if owner in ready:
            return False
        if not ready:
            heir.look()
            continue
        word = stream.recv(1)
        if word == GOODBYE:
            return True
        if not word:
            poll.unregister(stream)
        elif word == LOADING:
            heir.begin()
            stream.send(NOTED)
        elif word == LOADED:
            heir.finish()
            stream.send(NOTED)


class Heir:
    """Knows the processes of the owner's engines, and the shared memory that they hold."""

    def __init__(self, owner: int) -> None:
        self.is_loading = False
        self._owner = owner
        self._tag = owner_tag(owner)
        self._others: set[Process] = set()
        self._noted: set[Process] = set()
        self._shared_memory = SharedMemory()

    def begin(self) -> None:
        """Except what the owner has already."""
        self._others = _known(_below([self._owner]))
        self.is_loading = True

    def look(self) -> None:
        """Note whom the load has brought so far."""
        self._noted |= _known(_below([self._owner])) - self._others

    def finish(self) -> None:
        """Note whom the load has brought, and what of /dev/shm is held for it now."""
        self.look()
        self.is_loading = False
        self._shared_memory.look("", [self._owner, *self._left()])

    def end(self) -> None:
        """Kill whoever is left."""
        self._shared_memory.look("", self._left())
        kill_in_rounds(self._left)
        self._shared_memory.remove_all()

    def _left(self) -> list[int]:
        noted = [pid for pid, started in self._noted if is_alive(pid, started)]
        tagged = [pid for pid in own_processes() if self._is_tagged(pid)]
        roots = [pid for pid in dict.fromkeys(noted + tagged) if not _ends_by_itself(pid)]
        return list(filter(start_time, dict.fromkeys(roots + _below(roots))))

    def _is_tagged(self, pid: int) -> bool:
        tag = tags(pid)
        return tag.get(OWNER_TAG) == self._tag and REPLICA_TAG not in tag


def _below(roots: Iterable[int]) -> list[int]:
    """Return everything that came of `roots`, less those that end by themselves, with what came of them."""
    found: list[int] = []
    for pid in roots:
        found += children(pid)
    found = [pid for pid in found if not _ends_by_itself(pid)]
    return found + _below(found) if found else []


def _ends_by_itself(pid: int) -> bool:
    try:
        return _ENDS_BY_ITSELF in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _known(pids: Iterable[int]) -> set[Process]:
    return {(pid, started) for pid in pids if (started := start_time(pid)) is not None}
