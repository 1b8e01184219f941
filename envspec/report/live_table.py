"""The live table of `envspec up`: models under way, then replicas, or services where more than fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from envspec.report import states
from envspec.report.downloads import download_row, download_words
from envspec.report.progress import Progress, shown_state
from envspec.report.replicas import GAP, SECONDS, Row, replica_row, table, trouble
from envspec.report.text import BLANK, Line, Span, clip, columns, indent, line, shortened, width
from envspec.session.status import ReplicaStatus

SETTLED = ("healthy", "succeeded")
AROUND = 6
"""Lines that the table leaves to its header, footer, the blank ones between, and the cursor."""
INDENT = 2
NAME, REASON = 1, 4
"""The cells of a row that may be cut: a name, in its middle, and at its end why a service is not up."""
NARROWEST = 8
"""Columns of a name that are shown at least, though its state be cut: `pre….12`."""
WIDE = 110
"""Columns from which on rows have room for whole URLs."""


def live_table(progress: Progress, now: float, size: tuple[int, int]) -> list[Line]:
    """Draw the table for a terminal of `size` (columns, lines); `now` is seconds since the session began."""
    body = _body(progress, now, size)
    picture = [_header(progress, now), BLANK, *indent(body, INDENT), BLANK, *indent([_footer(progress)])]
    return [clip(item, size[0]) for item in picture]


def _header(progress: Progress, now: float) -> Line:
    status = progress.status
    # What the start took is told of a session that is up; of one under way, how long it has been.
    took = None if status.state in ("starting", "stopping") else status.seconds
    seconds = f"{now if took is None else took:.1f} s"
    return line(
        (status.environment, "bold"), "  ", states.state(status.state), "  ", (f"{seconds}  {status.id}", "dim")
    )


def _body(progress: Progress, now: float, size: tuple[int, int]) -> list[Line]:
    replicas = list(progress.status.services.values())
    room = max(3, size[1] - AROUND)
    models = [Row(download_row(each, now), wordings=download_words(each, now)) for each in progress.downloads.values()]
    if len(models) + len(replicas) <= room:
        rows = [*models]
        rows += [replica_row(replica, now, urls=size[0] >= WIDE) for replica in replicas]
        narrow = _narrow([row.cells for row in rows], SECONDS, size[0] - INDENT)
        rows = [replace(row, cells=cells) for row, cells in zip(rows, narrow, strict=True)]
        whole = table(rows, size[0] - INDENT)
        return whole if len(whole) <= room else table(rows, size[0] - INDENT, whole=False)
    shown = _cut(table(models, size[0] - INDENT, whole=False), max(1, room // 3), "models")
    return [*shown, *_services(progress, now, max(2, room - len(shown)), size[0] - INDENT)]


def _narrow(rows: Sequence[Sequence[Span]], kept: int, limit: int) -> list[list[Span]]:
    """Return cells with names that leave room for the rest of the first `kept`, and for a `…` in place of others."""
    widths = [max((width(row[i][0]) for row in rows), default=0) for i in range(kept) if i != NAME]
    room = max(NARROWEST, limit - sum(each + GAP for each in widths if each) - GAP - 1)
    return [[mark, (shortened(name, room), style), *others] for mark, (name, style), *others in rows]


def _services(progress: Progress, now: float, room: int, limit: int) -> list[Line]:
    services = [list(group) for _, group in groupby(progress.status.services.values(), key=lambda item: item.service)]
    if len(services) > room:
        services.sort(key=lambda group: all(replica.state in SETTLED for replica in group))
    rows = [_service_row(group, now) for group in services]
    return _cut(columns(_narrow(rows, REASON, limit), right=frozenset({2})), room, "services")


def _cut(lines: list[Line], room: int, what: str) -> list[Line]:
    """Return as many lines as there is room for, with how many more there are."""
    if len(lines) <= room:
        return lines
    return [*lines[: room - 1], line((f"… and {len(lines) - room + 1} more {what}", "dim"))]


def _service_row(group: list[ReplicaStatus], now: float) -> list[Span]:
    counts = Counter(shown_state(replica) for replica in group)
    first = next((replica for replica in group if replica.state not in SETTLED), group[0])
    shown = shown_state(first)
    reason, style = trouble(first) or ("", "")
    return [
        states.mark(shown, now),
        (group[0].service, ""),
        (f"{len(group)} replicas" if len(group) > 1 else "", "dim"),
        (" · ".join(f"{count} {name}" for name, count in counts.items()), states.MARKS[shown][1]),
        (f"{first.name} {reason}" if reason and len(group) > 1 else reason, style),
    ]


def _footer(progress: Progress) -> Line:
    status, replicas = progress.status, progress.status.services.values()
    if status.state in ("stopping", "failed"):
        left = sum(replica.pid is not None for replica in replicas)
        return line((f"stopping, {left} left · Ctrl-C again leaves at once", "dim"))
    if status.state == "stopped":
        return line(("everything is stopped", "dim"))
    settled = sum(replica.state in SETTLED for replica in replicas)
    to_come = len(progress.downloads)
    models = f"{to_come} model{'s' * (to_come > 1)} to come · " if to_come else ""
    return line((f"{models}{settled} of {len(replicas)} healthy · Ctrl-C stops", "dim"))
