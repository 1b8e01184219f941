"""Which TCP sockets this network namespace has: asked from the kernel by sock_diag, else read from `/proc/net`.

A dump of the listening sockets by netlink takes less than 0.1 ms; `/proc/net/tcp` took 4 to 42 ms on a busy machine.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence
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
_BEGIN = struct.Struct("=IH")  # of nlmsghdr: length, type
_REQUEST = struct.Struct("=4x48xI4x")  # inet_diag_req: family and socket, zeros: any; the states; no further filter
_ENTRY = struct.Struct("=BB2x2s2x16s40xII")  # of inet_diag_msg: family, state, port, address, uid, inode
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
        self._answer = b""
        self._found: tuple[TcpSocket, ...] = ()

    def sockets(self, states: int) -> Sequence[TcpSocket]:
        """Return the TCP sockets, IPv4 and IPv6, that are in one of these states.

        Where the kernel says the same as the last time, this is the same object: mostly nothing has changed 2 ms later.
        """
        if self._netlink is not None:
            try:
                answer = _dump(self._netlink, self._buffer, states)
            except OSError:
                self.close()  # a sandbox's filter, or a kernel without tcp_diag: the next answer would be the same
            else:
                if answer != self._answer:
                    self._answer, self._found = answer, tuple(_parse(answer))
                return self._found
        return [found for found in _read_proc_net() if found.state & states]

    def close(self) -> None:
        """Close the line; later calls read `/proc/net`."""
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None


def sockets(states: int) -> Sequence[TcpSocket]:
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


def _dump(netlink: socket.socket, buffer: bytearray, states: int) -> bytes:
    """Return the kernel's messages: one for each socket, and the last one, which says so.

    Raises:
        OSError: it answers no such question.
    """
    request = _REQUEST.pack(states)
    netlink.send(_HEADER.pack(_HEADER.size + len(request), _GET_SOCKETS, _DUMP, 1, 0) + request)
    answer = b""
    while True:
        part = bytes(memoryview(buffer)[: netlink.recv_into(buffer)])
        answer += part
        for kind, start in _messages(part):
            if kind == _DONE:
                return answer
            if kind == _ERROR:
                raise OSError(-struct.unpack_from("=i", part, start)[0], "sock_diag refused")


def _messages(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the kind of each message, and where what it says begins."""
    start = 0
    while start < len(data):
        length, kind = _BEGIN.unpack_from(data, start)
        yield kind, start + _HEADER.size
        start += (length + 3) & ~3  # messages begin at multiples of four


def _parse(answer: bytes) -> Iterator[TcpSocket]:
    for kind, start in _messages(answer):
        if kind != _DONE:
            yield _parse_entry(answer, start)


def _parse_entry(answer: bytes, start: int) -> TcpSocket:
    family, state, port, address, uid, inode = _ENTRY.unpack_from(answer, start)
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
