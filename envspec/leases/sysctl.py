"""What the kernel says about port numbers: which it hands out by itself, which it keeps back, which need a privilege.

Read anew at each call, for they can be changed while we run and differ between network namespaces. Where `/proc` does
not tell (macOS), the defaults of Linux stand in.
"""

from __future__ import annotations

from pathlib import Path

_IPV4 = Path("/proc/sys/net/ipv4")


def ephemeral_range() -> tuple[int, int]:
    """Return the first and the last port that the kernel gives to `bind(0)` and to outgoing connections."""
    first, last = (_read("ip_local_port_range") or "32768 60999").split()
    return int(first), int(last)


def reserved_ports() -> frozenset[int]:
    """Return the ports that the administrator keeps back from automatic choice, for a program that comes later."""
    numbers: set[int] = set()
    for part in filter(None, _read("ip_local_reserved_ports").split(",")):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return frozenset(numbers)


def first_unprivileged_port() -> int:
    """Return the lowest port that a process without CAP_NET_BIND_SERVICE may listen on."""
    return int(_read("ip_unprivileged_port_start") or 1024)


def lease_range() -> tuple[int, int]:
    """Return the range for ports that may be any: at most 32767, and below the ephemeral range where there is room.

    20000 is above what well-known servers use; 32767 is the end of a signed 16-bit integer, which some programs parse
    ports as. Within the ephemeral range a number could be the source port of somebody's connection just when it is
    wanted; once held it is safe there as well.
    """
    last = min(ephemeral_range()[0] - 1, 32767)
    return (20000, last) if last >= 21000 else (20000, 24999)


def _read(name: str) -> str:
    try:
        return (_IPV4 / name).read_text(encoding="utf-8").strip()
    except OSError:
        return ""
