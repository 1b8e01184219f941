"""One row a replica: mark, name, state, seconds, pid, and what there is to say about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from envspec.report import states
from envspec.report.progress import shown_state
from envspec.report.text import Line, Span, columns, first_line, one_line
from envspec.session.status import ReplicaStatus
from envspec.units import format_seconds

BROWSABLE = ("http://", "https://")
NUMBERS = frozenset({3, 4})
"""The cells of a row that stand on the right of their column: seconds and pid."""


def replica_rows(
    replicas: Iterable[ReplicaStatus],
    *,
    now: float | None = None,
    urls: bool = True,
) -> list[Line]:
    """Return an aligned row for each replica.

    With `now`, in seconds since the session began, rows also say how long the start took or has been going on.
    Without `urls`, ports are numbers alone, for narrow terminals.
    """
    return columns([replica_row(item, now, urls=urls) for item in replicas], right=NUMBERS)


def replica_row(replica: ReplicaStatus, now: float | None, *, urls: bool) -> list[Span]:
    """Return the cells of one replica's row."""
    why_not = None if replica.stopping else trouble(replica)
    return [*_state_cells(replica, now), why_not or _place(replica, urls=urls)]


def _state_cells(replica: ReplicaStatus, now: float | None) -> list[Span]:
    shown = shown_state(replica)
    return [
        states.mark(shown, now),
        (replica.name, "bold" if shown == "failed" else ""),
        states.state(shown),
        ("" if now is None else _seconds(replica, now), "dim"),
        ("" if replica.pid is None else str(replica.pid), "dim"),
    ]


def _seconds(replica: ReplicaStatus, now: float) -> str:
    if replica.spawned_at is None or replica.state == "waiting":
        return ""
    if replica.healthy_at is not None:
        return format_seconds(replica.healthy_at - replica.spawned_at)
    return f"{max(0.0, now - replica.spawned_at):.1f} s" if replica.state == "starting" else ""


def trouble(replica: ReplicaStatus) -> Span | None:
    """Return why a replica is not healthy: whom it waits for, what its validator said last, how it ended."""
    if replica.state == "waiting" and replica.waits_for:
        return f"waits for {', '.join(replica.waits_for)}", "dim"
    if replica.state in ("failed", "exited"):
        return first_line(replica.message or ending(replica)), "red" if replica.state == "failed" else "yellow"
    if replica.state in ("starting", "unhealthy") and replica.check:
        return f"{short_check(replica.check)}: {one_line(replica.answer)}", "yellow"
    return None


def _place(replica: ReplicaStatus, *, urls: bool) -> Span:
    if replica.state in ("succeeded", "stopped"):
        return "", ""
    return ports_by_name(replica, urls=urls), "" if replica.state == "healthy" else "dim"


def ending(replica: ReplicaStatus) -> str:
    """Say how a process ended: by a signal or with a code."""
    if replica.signal:
        return f"died of {replica.signal}"
    return "" if replica.exit_code is None else f"exit code {replica.exit_code}"


def short_check(where: str) -> str:
    """Return the kind of a validator from its full name: `services.worker.health[0] (http)` is `http`."""
    return where.rpartition("(")[2].rstrip(")")


def ports_by_name(replica: ReplicaStatus, *, urls: bool = True) -> str:
    """Return every port by its name: `http http://127.0.0.1:20001  system 20002  kv_events 20010-20013`."""
    endpoints = replica.endpoints if urls else {}
    return "  ".join(f"{name} {_port(number, endpoints.get(name))}" for name, number in replica.ports.items())


def _port(number: Any, endpoint: Any) -> str:
    if isinstance(number, list):
        return f"{number[0]}-{number[-1]}"
    return endpoint if isinstance(endpoint, str) and endpoint.startswith(BROWSABLE) else str(number)
