"""The picture that stays when an environment is up: what is where, which URL to open, how to stop it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from envspec.plan.plan import Endpoint, Plan
from envspec.report import states
from envspec.report.replicas import BROWSABLE, where
from envspec.report.text import BLANK, Line, Span, columns, indent, line, line_width
from envspec.session.status import ReplicaStatus, SessionStatus
from envspec.units import format_seconds

OPENED = 3
"""URLs to open that are shown; all of them stand in the table as well."""
INDENT = 2


def summary(status: SessionStatus, plan: Plan | None, *, detached: bool, limit: int) -> list[Line]:
    """Draw an environment that is up, with every port; `plan` adds which URL to open, `detached` how it is stopped.

    Where `limit` columns are too few, the pids are left out; where they still are, ports stand below their services.
    """
    return [
        _headline(status),
        BLANK,
        *indent(_places(status, limit - INDENT), INDENT),
        BLANK,
        *indent(_what_next(status, plan, detached=detached)),
    ]


def _headline(status: SessionStatus) -> Line:
    took = f" in {format_seconds(status.seconds)}" if status.seconds is not None else ""
    return line(
        states.mark(status.state), " ", (status.environment, "bold"), " is ", states.state(status.state),
        f"{took}  ", (status.id, "dim"),
    )  # fmt: skip


def _places(status: SessionStatus, limit: int) -> list[Line]:
    heading: list[Span] = [(word, "dim") for word in ("SERVICE", "PORT", "WHERE", "PID")]
    rows = [heading, *(row for replica in status.services.values() for row in _place_rows(replica))]
    for picture in (columns(rows), columns([row[:-1] for row in rows])):
        if max(map(line_width, picture)) <= limit:
            return picture
    return [item for replica in status.services.values() for item in _stacked(replica)]


def _stacked(replica: ReplicaStatus) -> Iterator[Line]:
    """Yield a replica with its ports below it."""
    yield line(replica.name)
    yield from indent(columns([[(name, ""), (where(replica, name), "")] for name in replica.ports]), INDENT)


def _place_rows(replica: ReplicaStatus) -> Iterator[list[Span]]:
    pid = "" if replica.pid is None else str(replica.pid)
    if not replica.ports:
        yield [(replica.name, ""), ("", ""), ("", ""), (pid or replica.state, "dim")]
    for index, name in enumerate(replica.ports):
        first = index == 0
        yield [
            (replica.name if first else "", ""),
            (name, ""),
            (where(replica, name), ""),
            (pid if first else "", "dim"),
        ]


def _what_next(status: SessionStatus, plan: Plan | None, *, detached: bool) -> Iterator[Line]:
    urls = where_to_open(plan) if plan else []
    for url, name in urls[:OPENED]:
        yield line(("open  ", "dim"), (url, "bold cyan"), (f"  {name}", "dim"))
    if len(urls) > OPENED:
        yield line((f"      … and {len(urls) - OPENED} more", "dim"))
    yield line(("logs  ", "dim"), f"envspec logs -f --session {status.id}" if detached else "envspec logs -f")
    yield line(("stop  ", "dim"), f"envspec down {status.id}" if detached else "Ctrl-C")


def where_to_open(plan: Plan) -> list[tuple[str, str]]:
    """Return URLs that a person would open, each with the name of what answers there.

    That is a replica, with its port where several can be opened. They are what the environment's own `ready` asks;
    where it asks nothing over HTTP, the HTTP ports of services that no other service needs.
    """
    asked = [endpoint for check in plan.ready for endpoint in check.endpoints]
    needed = {name for service in plan.services for name in service.depends_on}
    offered = [
        (endpoint, replica)
        for service in plan.services
        for replica in service.replicas
        for block in replica.endpoints.values()
        for endpoint in block
        if (endpoint in asked if any(map(_browsable, asked)) else service.name not in needed)
    ]
    found = [(endpoint, replica.name) for endpoint, replica in offered if _browsable(endpoint)]
    count = Counter(name for _, name in found)
    return [(end.url, f"{name} {end.name}" if count[name] > 1 else name) for end, name in found]


def _browsable(endpoint: Endpoint) -> bool:
    return endpoint.url.startswith(BROWSABLE)


def stopped(status: SessionStatus) -> Line:
    """Return the last line of a session: nothing of it is left."""
    return line(states.mark("stopped"), " ", (status.environment, "bold"), " is stopped  ", (status.id, "dim"))
