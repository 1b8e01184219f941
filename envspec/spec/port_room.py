"""Whether ranges have room for all ports that the environment itself wants from them."""

from __future__ import annotations

from collections.abc import Iterable

from envspec.spec.environment import Port, Service
from envspec.spec.findings import Findings

Range = tuple[int, int]
"""The first and the last number."""


def note_crowded(services: Iterable[Service], findings: Findings) -> None:
    """Note ranges that are too small for their ports, fixed numbers of other ports within them counted as taken.

    Of ranges one within the other, the smallest that is too small is told. A range that passes may still turn out to be
    too full at the start, with what other programs have of it.
    """
    started = [service for service in services if service.enabled and service.attached is None]
    ports = [(service, port) for service in started for port in service.ports.values()]
    fixed = {port.fixed + rank for _, port in ports if port.fixed is not None for rank in range(port.count)}
    behind = [(service, port.own) for service, port in ports if port.behind]
    sought = [(service, port, _room(port)) for service, port in (*ports, *behind) if port.fixed is None]
    told: list[Range] = []
    for room in sorted({room for _, _, room in sought}, key=lambda room: room[1] - room[0]):
        inside = [(service, port) for service, port, within in sought if _contains(room, within)]
        taken = sum(room[0] <= number <= room[1] for number in fixed)
        wanted = sum(service.replicas * port.count for service, port in inside)
        if wanted + taken > room[1] - room[0] + 1 and not any(_contains(room, smaller) for smaller in told):
            told.append(room)
            findings.add(
                inside[-1][1].mark, "range-too-small", _sentence(room, wanted, taken, inside), "widen the range"
            )


def _room(port: Port) -> Range:
    low, high = port.ranges[0]
    return low, min(high, port.max)


def _contains(room: Range, other: Range) -> bool:
    return room[0] <= other[0] and other[1] <= room[1]


def _sentence(room: Range, wanted: int, taken: int, inside: list[tuple[Service, Port]]) -> str:
    size = room[1] - room[0] + 1
    less = f", less {taken} that other ports name" if taken else ""
    names = ", ".join(
        dict.fromkeys(f"{service.name}.{port.name}" for service, port in inside)
    )  # a relay needs one, too
    return f"{room[0]}-{room[1]} has {size} number{'' if size == 1 else 's'}{less}, and {wanted} are needed by {names}"
