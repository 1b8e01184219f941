"""What `envspec ps` shows: each session with its replicas and every port by its name."""

from __future__ import annotations

from collections.abc import Sequence

from envspec.report import states
from envspec.report.replicas import replica_rows
from envspec.report.text import BLANK, Line, first_line, indent, line
from envspec.session.harmless import harmless
from envspec.session.status import SessionStatus
from envspec.units import format_seconds


def sessions_table(sessions: Sequence[SessionStatus], now: float, *, urls: bool = True) -> list[Line]:
    """Draw sessions; `now` is seconds since the epoch."""
    lines: list[Line] = []
    for status in sessions:
        lines += [*([BLANK] if lines else []), _heading(status, now)]
        if status.message:
            lines += indent([line((harmless(first_line(status.message)), "yellow"))])
        lines += indent(replica_rows(status.services.values(), urls=urls))
    return lines


def _heading(status: SessionStatus, now: float) -> Line:
    age = f"  up {format_seconds(max(0.0, now - status.started))}" if status.started else ""
    pid = f"  pid {status.pid}" if status.pid is not None else ""
    return line(
        states.mark(status.state), " ", (status.id, "bold"), "  ", states.state(status.state),
        (f"{age}{pid}  {status.file}", "dim"),
    )  # fmt: skip
