"""Which TCP sockets this network namespace has: asked from the kernel by sock_diag, else read from `/proc/net`.

A dump of the listening sockets by netlink takes less than 0.1 ms; `/proc/net/tcp` took 4 to 42 ms on a busy machine.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# One bit for each of the kernel's TCP states (include/net/tcp_states.h).
TIME_WAIT = 1 << 6
LISTEN = 1 << 10
BOUND = 1 << 13
"""Bound, neither listening nor connected: what a hold is. Kernels before 6.8 do not list these."""
ANY = 0xFFFFFFFF

_NETLINK_SOCK_DIAG = 4
# The older of the two requests (linux/inet_diag.h, TCPDIAG_GETSOCK). It alone answers for IPv4 and IPv6 at once.
_GET_SOCKETS = 18
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_ROOT | NLM_F_MATCH
_ERROR, _DONE = 2, 3  # NLMSG_ERROR, NLMSG_DONE
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port id
_REQUEST = struct.Struct("=4x48xI4x")  # inet_diag_req: family and socket, zeros: any; the states; no further filter
_ENTRY = struct.Struct("=BB2s2x16sII")  # of inet_diag_msg: family, state, ports, address, uid, inode
_BUFFER = 1 << 16  # the kernel fills at most 32 KiB a read
_PATIENCE = struct.pack("ll", 1, 0)  # a timeval; the kernel answers within the call or never


class TcpSocket(NamedTuple):
    """A socket's own end. `state` is one bit; `inode` 0 means that no process has it any more, as in TIME_WAIT."""

    host: str
    port: int
    inode: int
    uid: int
    state: int


class SocketTable:
    """An open line to the kernel's tables. Falls back to `/proc/net/tcp` and `tcp6` where netlink is refused."""

    def __init__(self) -> None:
        self._netlink = _open_netlink()
        self._buffer = bytearray(_BUFFER)
        self._seen: dict[bytes, TcpSocket] = {}

    def sockets(self, states: int) -> list[TcpSocket]:
        """Return the TCP sockets, IPv4 and IPv6, that are in one of these states."""
        if self._netlink is not None:
            try:
                return self._parse(_dump(self._netlink, self._buffer, states))
            except OSError:
                self.close()  # a sandbox's filter, or a kernel without tcp_diag: the next answer would be the same
        return [found for found in _read_proc_net() if found.state & states]

    def _parse(self, entries: Iterator[bytes]) -> list[TcpSocket]:
        """Parse what the last call has not: most sockets are there again 2 ms later, and so it takes half the time."""
        self._seen = {entry: self._seen.get(entry) or _parse_entry(entry) for entry in entries}
        return list(self._seen.values())

    def close(self) -> None:
        """Close the line; later calls read `/proc/net`."""
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None


def sockets(states: int) -> list[TcpSocket]:
    """Return the TCP sockets that are in one of these states now: one dump, for those who ask once."""
    table = SocketTable()
    try:
        return table.sockets(states)
    finally:
        table.close()


def _open_netlink() -> socket.socket | None:
    try:
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
    except (OSError, AttributeError):  # refused; or not Linux, where the family has no name
        return None
    # Not settimeout: with it, Python polls before each call, and this is asked 500 times a second.
    netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _PATIENCE)
    return netlink


def _dump(netlink: socket.socket, buffer: bytearray, states: int) -> Iterator[bytes]:
    """Yield of each socket what `_ENTRY` reads: its inet_diag_msg less the queues and timers, which change."""
    request = _REQUEST.pack(states)
    netlink.send(_HEADER.pack(_HEADER.size + len(request), _GET_SOCKETS, _DUMP, 1, 0) + request)
    while True:
        end = netlink.recv_into(buffer)
        start = 0
        while start < end:
            length, kind, *_ = _HEADER.unpack_from(buffer, start)
            if kind == _DONE:
                return
            if kind == _ERROR:
                raise OSError(-struct.unpack_from("=i", buffer, start + _HEADER.size)[0], "sock_diag refused")
            entry = buffer[start + _HEADER.size : start + length]
            yield bytes(entry[:2] + entry[4:24] + entry[64:72])
            start += (length + 3) & ~3  # messages begin at multiples of four


def _parse_entry(entry: bytes) -> TcpSocket:
    family, state, port, address, uid, inode = _ENTRY.unpack(entry)
    host = socket.inet_ntop(family, address[:4] if family == socket.AF_INET else address)
    # What is bound and idle is reported as TCP_CLOSE (7), though asked for by a bit of its own.
    return TcpSocket(host, int.from_bytes(port, "big"), inode, uid, BOUND if state == 7 else 1 << state)


def _read_proc_net() -> Iterator[TcpSocket]:
    for name, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        try:
            lines = (Path("/proc/net") / name).read_text(encoding="utf-8").splitlines()[1:]
        except OSError:
            continue  # no IPv6 here, or no /proc at all
        for line in lines:
            columns = line.split()
            address, _, port = columns[1].partition(":")
            host = socket.inet_ntop(family, _address_bytes(address))
            yield TcpSocket(host, int(port, 16), int(columns[9]), int(columns[7]), 1 << int(columns[3], 16))


def _address_bytes(text: str) -> bytes:
    """Turn `/proc/net`'s 32-bit words in host order into the bytes of an address."""
    words = struct.unpack(f">{len(text) // 8}I", bytes.fromhex(text))
    return struct.pack(f"={len(words)}I", *words)
