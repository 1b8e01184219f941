"""Which process has a socket, and for which envspec session: read from `/proc`, for error messages."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_SOCKET = re.compile(r"socket:\[(\d+)\]")


@dataclass(frozen=True)
class Owner:
    """A process that has a socket open. `session` is the envspec session that it runs for, or empty."""

    pid: int
    command: str
    user: str
    session: str = ""

    @property
    def label(self) -> str:
        """The owner in a few words, the same for all processes of one session."""
        if self.session:
            return f"the envspec session {self.session}"
        return f"pid {self.pid} ({_shortened(self.command, 40)})"

    def __str__(self) -> str:
        of_session = f" of the envspec session {self.session}" if self.session else ""
        return f"pid {self.pid}{of_session} (user {self.user}): {_shortened(self.command, 160)}"


def find_owners(inodes: Collection[int]) -> dict[int, Owner]:
    """Return the owner of each of these sockets, less those whose owner we may not see.

    A socket that several processes share, as after a fork, belongs to the one with the lowest pid.
    """
    wanted = set(inodes) - {0}
    pids = sorted(int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal()) if wanted else []
    owners: dict[int, Owner] = {}
    for pid in pids:
        try:
            found = wanted.intersection(open_sockets(pid))
            if found:
                owners.update(dict.fromkeys(found, _describe(pid)))
        except OSError:
            continue  # another user's, or it has ended meanwhile
        wanted -= found
    return owners


def open_sockets(pid: int) -> Iterator[int]:
    """Yield the inodes of the sockets that a process has open.

    Raises:
        PermissionError: the process is another user's, or keeps its descriptors from being read.
        OSError: it has ended.
    """
    with os.scandir(_PROC / str(pid) / "fd") as descriptors:
        for descriptor in descriptors:
            try:
                target = os.readlink(descriptor.path)  # noqa: PTH115  a Path for each of some 10,000 takes 50 ms
            except FileNotFoundError:
                continue  # closed meanwhile
            if match := _SOCKET.fullmatch(target):
                yield int(match[1])


def user_name(uid: int) -> str:
    """Return the name of a user, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _describe(pid: int) -> Owner:
    home = _PROC / str(pid)
    command = home.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return Owner(
        pid=pid,
        command=command or home.joinpath("comm").read_text().strip(),
        user=user_name(home.stat().st_uid),
        session=_session(pid),
    )


def _session(pid: int) -> str:
    """Return the session by the tag that services carry; an agent, which holds the ports, has it in its children."""
    for candidate in (pid, *_children(pid)):
        try:
            environ = (_PROC / str(candidate) / "environ").read_bytes()
        except OSError:
            continue
        for variable in environ.split(b"\0"):
            if variable.startswith(b"ENVSPEC_SESSION="):
                return variable.partition(b"=")[2].decode(errors="replace")
    return ""


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in (_PROC / f"{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
