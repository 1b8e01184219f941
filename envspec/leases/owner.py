"""Which process has a socket, and for which envspec session: read from `/proc`, for error messages."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from envspec.record import Record

_PROC = Path("/proc")
_SOCKET = re.compile(r"socket:\[(\d+)\]")


class Owner(Record):
    """A process that has a socket open, with its command on one line.

    `session` is the envspec session that it runs for, `replica` what it is there; both may be empty.
    """

    pid: int
    command: str
    user: str
    session: str = ""
    replica: str = ""

    @property
    def label(self) -> str:
        """The owner in a few words, the same for all processes of one session."""
        if self.session:
            return f"the envspec session {self.session}"
        return f"pid {self.pid} ({_shortened(self.command, 40)})"

    def __str__(self) -> str:
        if not self.session:
            return f"pid {self.pid} (user {self.user}): {_shortened(self.command, 160)}"
        # The command would be envspec's own, or what another file says: the names tell more.
        replica = f"for its replica {self.replica}, " if self.replica else ""
        return f"pid {self.pid} of the envspec session {self.session} ({replica}user {self.user})"


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
    own = _tag(pid, b"ENVSPEC_SESSION")
    return Owner(
        pid=pid,
        command=_on_one_line(command or home.joinpath("comm").read_text().strip()),
        user=user_name(home.stat().st_uid),
        # An agent, which holds the ports of its services, has no tag; its children do.
        session=own or next(filter(None, (_tag(child, b"ENVSPEC_SESSION") for child in _children(pid))), ""),
        replica=_tag(pid, b"ENVSPEC_REPLICA") if own else "",
    )


def _tag(pid: int, name: bytes) -> str:
    """Return one of the variables that services carry, on one line; empty where there is none to be seen."""
    try:
        environ = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return ""
    values = [value for key, _, value in (item.partition(b"=") for item in environ.split(b"\0")) if key == name]
    return _on_one_line(values[0].decode(errors="replace")) if values else ""


def _on_one_line(text: str) -> str:
    """Return `text` with its control characters as `^J`, so that no command line breaks a message or a terminal."""
    return "".join(map(_visible, text))


def _visible(letter: str) -> str:
    if letter.isprintable():
        return letter
    return f"^{chr(ord(letter) ^ 0x40)}" if letter.isascii() else "\N{REPLACEMENT CHARACTER}"


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in (_PROC / f"{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
