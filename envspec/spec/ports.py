"""A service's ports and places, from what the file says to what can be leased or reached; and their clashes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from envspec.plan.plan import Endpoint
from envspec.spec.diagnostics import suggest
from envspec.spec.environment import Port, Service, position
from envspec.spec.findings import Findings
from envspec.spec.nodes import MapNode, Mark, Node, node_at, plain_data
from envspec.spec.port_spec import KNOWN_SCHEMES, PortSpec, PortsSpec, parse_range
from envspec.spec.service_spec import AttachSpec

_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^\s:/]+):(?P<port>[0-9]{1,5})")
DEFAULT_NUMBERS = {"http": 80, "https": 443, "grpc": 50051, "nats": 4222, "redis": 6379, "postgresql": 5432}
"""Where a URL without a port leads, by each program's own convention."""


def port_of(name: str, node: Node, spec: PortSpec, top: PortsSpec, findings: Findings) -> Port | None:
    """Return the port, its range looked up and found large enough; None where it is not, which is noted."""
    ranges: tuple[tuple[int, int], ...] = ()
    fixed = spec.range if isinstance(spec.range, int) else None
    if fixed is None:
        written = top.range if spec.range is None else top.ranges.get(str(spec.range), str(spec.range))
        try:
            ranges = (parse_range(written),)
        except ValueError:
            hint = suggest(written, top.ranges) or "name it under the top key ports: ranges:"
            findings.add(node.mark, "unknown-range", f"there is no range of ports called '{written}'", hint)
            return None
    port = Port(
        name=name,
        mark=node.mark,
        ranges=ranges,
        fixed=fixed,
        count=spec.count or 1,
        block=spec.count is not None,
        max=spec.max or 65535,
        hold=spec.hold,
        scheme=spec.scheme or (name if name in KNOWN_SCHEMES else "tcp"),
        behind=(ranges or (parse_range(top.range),)) if spec.proxy else (),
    )
    if spec.proxy and port.block:
        mark = node_at(node, ("proxy",))[0].mark
        findings.add(mark, "wrong-proxy", "a relay stands before one port, and 'count' makes several", "leave one out")
        return None
    problem = _too_small(port) or _too_small(port.own)
    if problem:
        findings.add(node.mark, "range-too-small", problem)
        return None
    return port


def _too_small(port: Port) -> str:
    if port.fixed is not None:
        last = port.fixed + port.count - 1
        return f"port {last} is above {port.max}" if last > port.max else ""
    low, high = port.ranges[0]
    room = min(high, port.max) - low + 1
    if room < port.count:
        limit = f" up to {port.max}" if port.max < high else ""
        what = f"{port.count} ports in a row do" if port.count > 1 else "a port does"
        return f"{what} not fit into {low}-{high}{limit}"
    return ""


def attached_of(
    spec: AttachSpec, node: Node, ports: Mapping[str, Port], host: str, findings: Findings
) -> dict[str, tuple[Endpoint, ...]]:
    """Return where an attached service's ports already are; what is wrong is noted."""
    if (spec.url is None) == (spec.ports is None):
        findings.add(node.mark, "wrong-attach", "attach needs exactly one of 'url' and 'ports'")
        return {}
    if spec.url is not None:
        url = node_at(node, ("url",))[0]
        if len(ports) != 1:
            message = f"attach: url: is for a service with exactly one port, and this one has {len(ports)}"
            findings.add(url.mark, "wrong-attach", message, "give attach: {ports: {NAME: PORT, host:port or URL}}")
            return {}
        written: Mapping[str, tuple[int | str | list[int | str], Node]] = {next(iter(ports)): (spec.url, url)}
    else:
        written = {name: (place, node_at(node, ("ports", name))[0]) for name, place in (spec.ports or {}).items()}
    found = {}
    for name, (place, at) in written.items():
        if ports and name not in ports:
            key = node_at(node, ("ports", name))[1]
            message = f"attach names the port '{name}', which the service has not"
            findings.add((key or at).mark, "unknown-port", message, suggest(name, ports))
            continue
        scheme = ports[name].scheme if name in ports else (name if name in KNOWN_SCHEMES else "tcp")
        count = ports[name].count if name in ports else None
        block = _block(name, place, count, scheme, host)
        if isinstance(place, list) and count not in (None, len(place)):
            message = f"attach gives {len(place)} places for the port '{name}', whose count is {count}"
            findings.add(at.mark, "wrong-attach", message, "or give one place, from which it counts on")
        elif block is None or (spec.url is not None and "://" not in str(place)):
            wrong, mark = _first_wrong(name, place, at, scheme, host)
            message = f"{wrong!r} is not a place to attach to"
            findings.add(mark, "wrong-attach", message, "written as PORT, host:port, or scheme://host:port")
        else:
            found[name] = block
    return found


def _first_wrong(name: str, place: int | str | list[int | str], node: Node, scheme: str, host: str) -> tuple[Any, Mark]:
    """Return the first item of a list that is no place, and where it stands; what is no list, as it is."""
    for index, one in enumerate(place if isinstance(place, list) else ()):
        if place_of(name, one, scheme, host) is None:
            return one, node_at(node, (index,))[0].mark
    return place, node.mark


def _block(
    name: str, place: int | str | list[int | str], count: int | None, scheme: str, host: str
) -> tuple[Endpoint, ...] | None:
    """Return all places of a port: those of a list, or as many as it has numbers from the one place on."""
    if isinstance(place, list):
        listed = tuple(found for one in place if (found := place_of(name, one, scheme, host)) is not None)
        return listed if listed and len(listed) == len(place) else None
    first = place_of(name, place, scheme, host)
    if first is None or first.port + (count or 1) - 1 > 65535:
        return None
    return tuple(replace(first, port=first.port + offset) for offset in range(count or 1))


def place_of(name: str, place: int | str, scheme: str, host: str) -> Endpoint | None:
    """Read a number, `host:port` or a URL; None where it is none of them."""
    if isinstance(place, int) or place.isdecimal():
        return Endpoint(name, scheme, host, int(place)) if 1 <= int(place) <= 65535 else None
    if "://" in place:
        return _url(name, place)
    match = _ADDRESS.fullmatch(place)
    if match is None or not 1 <= int(match["port"]) <= 65535:
        return None
    return Endpoint(name, scheme, match["host"].strip("[]"), int(match["port"]))


def _url(name: str, text: str) -> Endpoint | None:
    try:
        parts = urlsplit(text)
        number = parts.port or DEFAULT_NUMBERS.get(parts.scheme)
    except ValueError:
        return None
    if not parts.hostname or number is None:
        return None
    return Endpoint(name, parts.scheme, parts.hostname, number, parts.path.rstrip("/"))


def note_clashes(services: Iterable[Service], findings: Findings) -> None:
    """Note fixed ports that two replicas would both want."""
    taken: dict[int, tuple[str, Mark]] = {}
    for service in services:
        if not service.enabled or service.attached is not None:
            continue
        for port in service.ports.values():
            if port.fixed is not None:
                _claim(service, port, taken, findings)


def _claim(service: Service, port: Port, taken: dict[int, tuple[str, Mark]], findings: Findings) -> None:
    what = f"{service.name}.{port.name}"
    if service.replicas > 1:
        message = f"{service.replicas} replicas cannot all have the fixed port {port.fixed}"
        findings.add(port.mark, "port-clash", message, "write auto, or a range")
        return
    for number in range(port.fixed or 0, (port.fixed or 0) + port.count):
        other = taken.setdefault(number, (what, port.mark))
        if other[0] != what:
            message = f"port {number} of {what} is also {other[0]}'s ({position(other[1])})"
            findings.add(port.mark, "port-clash", message, "give one of them another number, or auto")
            return


def port_nodes(node: Node | None) -> Mapping[str, Node]:
    """Return the ports of a service by name, as nodes."""
    return {key.text: value for key, value in node.items} if isinstance(node, MapNode) else {}


def sound_ports(node: Node | None) -> dict[str, PortSpec]:
    """Return the ports that are well formed by themselves, where not all are; the others were told."""
    found = {}
    for name, port in port_nodes(node).items():
        with suppress(ValidationError):
            found[name] = PortSpec.model_validate(plain_data(port))
    return found
