"""One row a replica: mark, name, state, seconds, pid, and what there is to say about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import replace
from typing import Any

from envspec.record import Record
from envspec.report import states
from envspec.report.progress import shown_state
from envspec.report.text import Line, Span, columns, first_line, indent, line_width, one_line, width
from envspec.session.status import ReplicaStatus
from envspec.units import format_seconds

BROWSABLE = ("http://", "https://")
SECONDS, PID = 3, 4
NUMBERS = frozenset({SECONDS, PID})
"""The cells of a row that stand on the right of their column."""
GAP = 2
BELOW = 5
"""Columns before parts that stand on lines of their own: below the names."""
ENOUGH = 12
"""Columns that are worth having for what there is to say about a replica."""
FIGURES = 24
"""The same for the shortest of several wordings, which is figures: half of them would be wrong."""


class Row(Record):
    """One row: cells that are aligned, and at its end either `words`, which may be cut, or `parts`, which may not.

    Parts may stand below one another. `wordings` are words of which the first that has room is taken.
    """

    cells: Sequence[Span]
    words: Span = ("", "")
    parts: Sequence[Span] = ()
    wordings: Sequence[Span] = ()

    def within(self, room: int) -> Row:
        """Return the row with the wording for so many columns, the shortest where none has room."""
        fitting = (wording for wording in self.wordings if width(wording[0]) <= room)
        return replace(self, words=next(fitting, self.wordings[-1])) if self.wordings else self

    def without(self, dropped: Set[int]) -> Row:
        """Return the row with some of its cells empty."""
        return replace(self, cells=[("", "") if i in dropped else cell for i, cell in enumerate(self.cells)])


def replica_rows(replicas: Iterable[ReplicaStatus], *, limit: int) -> list[Line]:
    """Return aligned rows of replicas with every port, within `limit` columns."""
    return table([replica_row(item, None, urls=True) for item in replicas], limit)


def replica_row(replica: ReplicaStatus, now: float | None, *, urls: bool) -> Row:
    """Return one replica's row.

    With `now`, in seconds since the session began, it also says how long the start took or has been going on. Without
    `urls`, ports are numbers alone.
    """
    why_not = None if replica.stopping else trouble(replica)
    cells = _state_cells(replica, now)
    return Row(cells, words=why_not) if why_not else Row(cells, parts=_ports(replica, urls=urls))


def table(rows: Sequence[Row], limit: int, *, whole: bool = True) -> list[Line]:
    """Align rows within `limit` columns: lines are broken between parts, never within one.

    Where there is too little room, the pid and then the seconds give way; where that is not enough, parts stand on
    lines of their own. What is not to be `whole` has one line a row, and `…` for the parts that are left out.
    """
    wanted = max((width(part) for row in rows for part, _ in row.parts), default=0)
    wanted = max([wanted, *(min(ENOUGH, width(row.words[0])) for row in rows)])
    wanted = max([wanted, *(min(FIGURES, width(row.wordings[-1][0])) for row in rows if row.wordings)])
    fitting, room = rows, _room(rows, limit)
    for dropped in ({PID}, {PID, SECONDS}):
        if room < wanted:
            fitting = [row.without(dropped) for row in rows]
            room = _room(fitting, limit)
    fitting = [row.within(room) for row in fitting]
    if not whole:
        return _aligned([[*row.cells, _first(row, room)] for row in fitting])
    if room < wanted:
        heads = _aligned([[*row.cells, row.words] for row in fitting])
        below = [indent([(line,) for line in _broken(row.parts, limit - BELOW)], BELOW) for row in fitting]
        return [item for head, lines in zip(heads, below, strict=True) for item in (head, *lines)]
    return _aligned([cells for row in fitting for cells in _lines(row, room)])


def _room(rows: Sequence[Row], limit: int) -> int:
    """Return the columns that the cells leave."""
    return limit - GAP - max((line_width(head) for head in columns([row.cells for row in rows], gap=GAP)), default=0)


def _aligned(rows: Sequence[Sequence[Span]]) -> list[Line]:
    return columns(rows, right=NUMBERS, gap=GAP)


def _lines(row: Row, room: int) -> Iterator[list[Span]]:
    first, *others = _broken(row.parts, room) or [row.words]
    yield [*row.cells, first]
    for line in others:
        yield [*(("", "") for _ in row.cells), line]


def _broken(parts: Sequence[Span], room: int) -> list[Span]:
    """Return parts put together in lines of at most `room` columns, one at least in each."""
    lines: list[Span] = []
    for text, style in parts:
        if lines and width(lines[-1][0]) + GAP + width(text) <= room:
            lines[-1] = f"{lines[-1][0]}{' ' * GAP}{text}", style
        else:
            lines.append((text, style))
    return lines


def _first(row: Row, room: int) -> Span:
    """Return what stands on a row's only line."""
    lines = _broken(row.parts, room)
    if not lines:
        return row.words
    if len(lines) == 1 and width(lines[0][0]) <= room:
        return lines[0]
    text, style = _broken(row.parts, room - GAP - 1)[0]
    return (f"{text}{' ' * GAP}…" if width(text) + GAP < room else "…"), style


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
    if replica.state in ("starting", "unhealthy") and replica.refusals:
        check, answer = replica.refusal
        return f"{short_check(check)}: {one_line(answer)}", "yellow"
    return None


def _ports(replica: ReplicaStatus, *, urls: bool) -> list[Span]:
    """Return every port by its name: `http http://127.0.0.1:20001`, `kv_events 20010-20013`."""
    if replica.state in ("succeeded", "stopped"):
        return []
    style = "" if replica.state == "healthy" else "dim"
    ports = {name: where(replica, name) if urls else _number(number) for name, number in replica.ports.items()}
    return [(f"{name} {place}", style) for name, place in ports.items()]


def where(replica: ReplicaStatus, port: str) -> str:
    """Return where a port is reached: its URL, `host:number` where tcp is all that is known, or a block's numbers."""
    return f"{_place(replica, port)}{' (relay)' if port in replica.relayed else ''}"


def _place(replica: ReplicaStatus, port: str) -> str:
    endpoint, number = replica.endpoints.get(port), replica.ports[port]
    if isinstance(number, list):
        return f"{replica.host}:{_number(number)}"
    return str(endpoint).removeprefix("tcp://") if endpoint else f"{replica.host}:{number}"


def _number(number: Any) -> str:
    return f"{number[0]}-{number[-1]}" if isinstance(number, list) else str(number)


def ending(replica: ReplicaStatus) -> str:
    """Say how a process ended: by a signal or with a code."""
    if replica.signal:
        return f"died of {replica.signal}"
    return "" if replica.exit_code is None else f"exit code {replica.exit_code}"


def short_check(where: str) -> str:
    """Return the kind of a validator from its full name: `services.worker.health[0] (http)` is `http`."""
    return where.rpartition("(")[2].rstrip(")")
