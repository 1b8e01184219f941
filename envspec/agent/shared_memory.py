"""Shared memory that dead processes leave: a name in /dev/shm keeps its memory until it is removed, by whomever.

An engine that is killed removes nothing, and what it held was seen to be 420 MB each time. Whose a name is can be
asked of the kernel only while those who hold it live, so we look before a signal is sent, and when a leader is found
dead while its children are not.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PLACE = "/dev/shm"  # noqa: S108  what shm_open means by a name
LIBRARIES = ("psm_", "sem.mp-", "torch_", "nccl-")
"""How names begin that nobody is meant to find after their makers' end: those of multiprocessing's shared memory and,
where it spawns, its semaphores, of torch's tensors, of NCCL's channels. Other files may be data, kept by intent."""


class SharedMemory:
    """What replicas were seen to hold in /dev/shm, by replica. With nothing of the kind there, a look costs 20 µs."""

    def __init__(self) -> None:
        self._held: dict[str, set[int]] = {}

    def look(self, replica: str, pids: Iterable[int]) -> None:
        """Note what these processes, which are the replica's, hold at the moment."""
        there = _names()
        for pid in pids if there else ():
            self._held.setdefault(replica, set()).update(_held_by(pid) & there.keys())

    def remove(self, replica: str) -> None:
        """Remove what the replica, of which nothing is left, has held, unless somebody else holds it, too."""
        there = _names()
        left = self._held.pop(replica, set()) & there.keys()
        for pid in _everybody() if left else ():
            left -= _held_by(pid)
        for inode in left:
            for name in there[inode]:
                with suppress(OSError):
                    os.unlink(f"{PLACE}/{name}")  # noqa: PTH108  as below

    def remove_all(self) -> None:
        """Remove what any replica has held: nothing is left of any."""
        for replica in tuple(self._held):
            self.remove(replica)


def _names() -> dict[int, list[str]]:
    """Return the names that are of a kind to be removed, by inode.

    By inode, because a semaphore is made under another name than it then has, and the kernel shows the first.
    """
    found: dict[int, list[str]] = {}
    with suppress(OSError), os.scandir(PLACE) as entries:
        for entry in entries:
            if entry.name.startswith(LIBRARIES):
                found.setdefault(entry.inode(), []).append(entry.name)
    return found


def _held_by(pid: int) -> set[int]:
    """Return the inodes in /dev/shm that a process has mapped or open; none when it is dead or another user's."""
    inodes: set[int] = set()
    with suppress(OSError):
        mapped = re.compile(rb" %02x:%02x (\d+) " % _device())
        inodes.update(map(int, mapped.findall(Path(f"/proc/{pid}/maps").read_bytes())))
        with os.scandir(f"/proc/{pid}/fd") as descriptors:
            for descriptor in descriptors:
                # Asking what a descriptor is may hang where it is a file on the network; reading its name does not.
                with suppress(OSError):
                    if os.readlink(descriptor.path).startswith(PLACE):  # noqa: PTH115  a third of the time of pathlib
                        inodes.add(descriptor.stat().st_ino)
    return inodes


def _device() -> tuple[int, int]:
    number = os.stat(PLACE).st_dev  # noqa: PTH116  the agent's start has no time for pathlib's
    return os.major(number), os.minor(number)


def _everybody() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208  likewise
