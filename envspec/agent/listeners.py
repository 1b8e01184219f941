"""Who listens where: the moment at which a service opens its port, and whether it was that service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from envspec.leases.owner import open_sockets
from envspec.leases.sockets import LISTEN, SocketTable, TcpSocket

Listener = TcpSocket
"""A listening socket: host, port, inode, and the uid that opened it."""


class ListenTable:
    """The listening sockets of this network namespace. One `dump` serves all services that wait."""

    def __init__(self) -> None:
        self._table = SocketTable()
        self._found: Sequence[Listener] = ()
        self._by_port: dict[int, list[Listener]] = {}

    def dump(self) -> Mapping[int, list[Listener]]:
        """Return what listens now, by port; several where addresses differ or SO_REUSEPORT is used."""
        found = self._table.sockets(LISTEN)
        if found is not self._found:
            self._found, self._by_port = found, {}
            for listener in found:
                self._by_port.setdefault(listener.port, []).append(listener)
        return self._by_port

    def owns(self, inode: int, pids: Iterable[int]) -> bool | None:
        """Tell whether one of these processes has this socket open.

        None: none of those that could be looked into has it, but not all could (another user's, or not dumpable); then
        the listener's uid is the next best witness.
        """
        all_readable = True
        for pid in pids:
            try:
                if inode in open_sockets(pid):
                    return True
            except PermissionError:
                all_readable = False
            except OSError:
                continue  # it has ended meanwhile
        return False if all_readable else None

    def close(self) -> None:
        """Close the line to the kernel."""
        self._table.close()
