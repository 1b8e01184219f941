"""Whose a process is that has shed everything else by which it could be known: what it inherited tells.

A daemon with an environment and a session of its own still writes into the log of its replica, or works in its
directory, unless it took care to do neither.
"""

from __future__ import annotations

import os
from typing import NamedTuple


class Home(NamedTuple):
    """The paths of a replica: its log, its directory, and where its command is run, which others may share."""

    log: str
    directory: str
    cwd: str


class Traces:
    """The homes of all replicas, by their names in the kernel, which have no links in them.

    None is forgotten: what the one left behind would else be taken for that of another.
    """

    def __init__(self) -> None:
        self._homes: dict[str, Home] = {}

    def add(self, replica: str, home: Home) -> None:
        """Take in a replica that was just spawned."""
        parent, name = os.path.split(home.log)  # what has the log's name may by now be a link that the service made
        log = f"{os.path.realpath(parent)}/{name}"
        self._homes[replica] = Home(log, os.path.realpath(home.directory), os.path.realpath(home.cwd))

    def owner(self, pid: int) -> str | None:
        """Return the one replica that a process can be of, None where that may be several."""
        outputs = {_link(pid, "fd/1"), _link(pid, "fd/2")}
        writers = [replica for replica, home in self._homes.items() if home.log in outputs]
        candidates = writers or self._inhabitants(_link(pid, "cwd"))
        return candidates[0] if len(candidates) == 1 else None

    def _inhabitants(self, place: str) -> list[str]:
        """Return the replicas that work in a directory which is, or is below, that of one of them."""
        hosts = [home.directory for home in self._homes.values() if _is_below(place, home.directory)]
        return [replica for replica, home in self._homes.items() if any(_works_in(home, host) for host in hosts)]


def _works_in(home: Home, directory: str) -> bool:
    return _is_below(home.directory, directory) or _is_below(home.cwd, directory)


def _link(pid: int, name: str) -> str:
    """Return what a link below /proc/PID says: of what is open, that also hangs for no file on the network."""
    try:
        return os.readlink(f"/proc/{pid}/{name}").removesuffix(" (deleted)")  # noqa: PTH115  the kernel's own text
    except OSError:
        return ""


def _is_below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory}/")
