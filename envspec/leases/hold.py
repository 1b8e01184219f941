"""The hold: one socket that keeps a port number ours and lets nobody but the service's own server in.

1. `bind` without a reuse flag is an exclusive, atomic claim. It fails where anybody has the number, whichever flags
   they set, and so does everybody else's such bind against ours: two holds of one number cannot be.
2. SO_REUSEADDR and SO_REUSEPORT are set *after* that bind. The service's own socket, which sets one of them, may now
   bind over the hold; other claims, which set none, still fail.
3. Without `listen` it receives no connections: each one reaches the service.
4. It stays open across restarts of the service, so the number never lapses in between.

A server that sets neither flag cannot bind over a hold; `hold: release` closes the hold just before that one starts.
"""

from __future__ import annotations

import errno
import os
import socket
from functools import cache
from types import TracebackType

from envspec.leases.sockets import BOUND, LISTEN, TcpSocket, sockets


class Hold:
    """A port number that nobody else can claim until `close`."""

    def __init__(self, bound: socket.socket, host: str, number: int) -> None:
        for flag in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            bound.setsockopt(socket.SOL_SOCKET, flag, 1)
        self.host = host
        self.number = number
        self._socket = bound

    def close(self) -> None:
        """Give the number back. A server that is bound over the hold goes on undisturbed."""
        self._socket.close()

    @property
    def closed(self) -> bool:
        """Whether the number has been given back."""
        return self._socket.fileno() < 0

    def __enter__(self) -> Hold:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Hold {self.host}:{self.number}{' closed' if self.closed else ''}>"


def hold_everywhere(host: str, number: int) -> Hold | None:
    """Hold `number` on all addresses, for a service that will listen on `host`; None if anybody has it on any.

    Raises:
        OSError: anything but "in use".
    """
    bound = _bind(_everywhere(), number)
    return Hold(bound, host, number) if bound else None


def hold_at(host: str, number: int) -> Hold | None:
    """Hold `number` on `host` alone; None if anybody has it there or on all addresses.

    What only remains of a server that has ended (TIME_WAIT, for 60 s) is no owner, though it fails the exclusive bind:
    a second start with the same fixed port would otherwise be refused. There the bind is made with SO_REUSEADDR, and
    the kernel's table must then show our socket and no other owner. Of two who do so at once at least one sees both.

    Raises:
        OSError: anything but "in use".
    """
    if bound := _bind(host, number):
        return Hold(bound, host, number)
    if owners(host, number):
        return None  # seen before the attempt below, which for a moment could keep their own server out
    bound = _bind(host, number, socket.SO_REUSEADDR)
    if bound is None:
        return None
    if [owner.inode for owner in owners(host, number)] == [os.fstat(bound.fileno()).st_ino]:
        return Hold(bound, host, number)
    bound.close()  # a kernel before 6.8 does not show even ours, so it could hide another hold
    return None


def owners(host: str, number: int) -> list[TcpSocket]:
    """Return the sockets that listen or are held at this port, on `host` or on an address that contains it."""
    return [found for found in sockets(LISTEN | BOUND) if found.port == number and overlap(found.host, host)]


@cache
def require_address(host: str) -> None:
    """Check that a server could listen on `host`.

    Raises:
        OSError: it is no address of this machine.
    """
    bound = _bind(host, 0)
    if bound is not None:
        bound.close()


@cache
def _everywhere() -> str:
    """Return the address that contains all others: `::` takes IPv4 in as well, but some hosts have no IPv6."""
    try:
        require_address("::")
    except OSError:
        return "0.0.0.0"  # noqa: S104  claimed, never listened on
    return "::"


def _bind(host: str, number: int, *flags: int) -> socket.socket | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    unbound = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            unbound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        for flag in flags:
            unbound.setsockopt(socket.SOL_SOCKET, flag, 1)
        unbound.bind((host, number))
    except OSError as error:
        unbound.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise
    return unbound


def overlap(one: str, other: str) -> bool:
    """Whether a server on `one` and a server on `other` would meet at the same port."""
    one, other = one.removeprefix("::ffff:"), other.removeprefix("::ffff:")
    if one == other or "::" in (one, other):
        return True
    return "0.0.0.0" in (one, other) and ":" not in one + other  # noqa: S104  compared, not listened on
