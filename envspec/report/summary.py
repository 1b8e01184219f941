"""The picture that stays when an environment is up: what is where, which URL to open, how to stop it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from envspec.plan.plan import Endpoint, Plan
from envspec.report import states
from envspec.report.replicas import BROWSABLE
from envspec.report.text import BLANK, Line, Span, columns, indent, line
from envspec.session.status import ReplicaStatus, SessionStatus
from envspec.units import format_seconds

MANY, FEW = 8, 3
"""A service of more replicas than the first is shown by as many as the second."""


def summary(status: SessionStatus, plan: Plan | None, *, detached: bool) -> list[Line]:
    """Draw an environment that is up. `plan` adds which URL to open; `detached` changes how it is stopped."""
    return [
        _headline(status),
        BLANK,
        *indent(_places(status)),
        BLANK,
        *indent(_what_next(status, plan, detached=detached)),
    ]


def _headline(status: SessionStatus) -> Line:
    took = f" in {format_seconds(status.seconds)}" if status.seconds is not None else ""
    return line(
        states.mark(status.state), " ", (status.environment, "bold"), " is ", states.state(status.state),
        f"{took}  ", (status.id, "dim"),
    )  # fmt: skip


def _places(status: SessionStatus) -> list[Line]:
    heading: list[Span] = [(word, "dim") for word in ("SERVICE", "PORT", "WHERE", "PID")]
    rows: list[list[Span]] = [heading]
    for _, group in groupby(status.services.values(), key=lambda replica: replica.service):
        replicas = list(group)
        shown = replicas if len(replicas) <= MANY else replicas[:FEW]
        rows += [row for replica in shown for row in _place_rows(replica)]
        if shown != replicas:
            rows.append([(f"… and {len(replicas) - FEW} more: envspec ps", "dim")])
    return columns(rows)


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


def where(replica: ReplicaStatus, port: str) -> str:
    """Return where a port is reached: its URL, `host:number` where tcp is all that is known, or a block's numbers."""
    endpoint, number = replica.endpoints.get(port), replica.ports[port]
    if isinstance(number, list):
        return f"{replica.host}:{number[0]}-{number[-1]}"
    return str(endpoint).removeprefix("tcp://") if endpoint else f"{replica.host}:{number}"


def _what_next(status: SessionStatus, plan: Plan | None, *, detached: bool) -> Iterator[Line]:
    for url, name in where_to_open(plan) if plan else ():
        yield line(("open  ", "dim"), (url, "bold cyan"), (f"  {name}", "dim"))
    yield line(("logs  ", "dim"), f"envspec logs -f --session {status.id}" if detached else "envspec logs -f")
    yield line(("stop  ", "dim"), f"envspec down {status.id}" if detached else "Ctrl-C")


def where_to_open(plan: Plan) -> list[tuple[str, str]]:
    """Return URLs that a person would open, each with the name of what answers there.

    They are what the environment's own `ready` asks; where it asks nothing over HTTP, the HTTP ports of services that
    no other service needs.
    """
    asked = [endpoint for check in plan.ready for endpoint in check.endpoints]
    needed = {name for service in plan.services for name in service.depends_on}
    offered = [
        (endpoint, replica.name)
        for service in plan.services
        for replica in service.replicas
        for block in replica.endpoints.values()
        for endpoint in block
        if (endpoint in asked if any(map(_browsable, asked)) else service.name not in needed)
    ]
    return [(endpoint.url, name) for endpoint, name in offered if _browsable(endpoint)]


def _browsable(endpoint: Endpoint) -> bool:
    return endpoint.url.startswith(BROWSABLE)


def stopped(status: SessionStatus) -> Line:
    """Return the last line of a session: nothing of it is left."""
    return line(states.mark("stopped"), " ", (status.environment, "bold"), " is stopped  ", (status.id, "dim"))
