"""What `envspec ps` shows: each session with its replicas and every port by its name."""

from __future__ import annotations

from collections.abc import Sequence

from envspec.report import states
from envspec.report.replicas import replica_rows
from envspec.report.text import BLANK, Line, clip, first_line, indent, line, line_width
from envspec.session.harmless import harmless
from envspec.session.status import SessionStatus
from envspec.units import format_seconds

INDENT = 2


def sessions_table(sessions: Sequence[SessionStatus], now: float, limit: int) -> list[Line]:
    """Draw sessions within `limit` columns; `now` is seconds since the epoch."""
    lines: list[Line] = []
    for status in sessions:
        lines += [*([BLANK] if lines else []), *_heading(status, now, limit)]
        if status.identity:
            lines += indent([line((_lending(status, now), "dim"))])
        if status.message:
            lines += indent([line((harmless(first_line(status.message)), "yellow"))])
        lines += indent(replica_rows(status.services.values(), limit=limit - INDENT), INDENT)
    return [clip(item, limit) for item in lines]


def _lending(status: SessionStatus, now: float) -> str:
    """Return what a session is, who has borrowed it, and what is left of its time."""
    facts = [f"identity {status.identity}"]
    if status.lent_to:
        facts.append(f"lent to {harmless(status.lent_to)}")
    if status.ends is not None:
        facts.append(f"ends in {format_seconds(max(0.0, status.ends - now))} unless it is used")
    return "  ".join(facts)


def _heading(status: SessionStatus, now: float, limit: int) -> list[Line]:
    """Return id, state, age and file; the file on a line of its own where there is no room for it."""
    age = f"  up {format_seconds(max(0.0, now - status.started))}" if status.started else ""
    pid = f"  pid {status.pid}" if status.pid is not None else ""
    facts = line(
        states.mark(status.state), " ", (status.id, "bold"), "  ", states.state(status.state), (f"{age}{pid}", "dim")
    )
    whole = line(*facts, (f"  {status.file}", "dim"))
    return [whole] if line_width(whole) <= limit else [facts, line((f"  {status.file}", "dim"))]
