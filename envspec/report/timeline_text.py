"""The timeline as text: a waterfall of the replicas' starts, the critical path, and the slowest."""

from __future__ import annotations

from collections.abc import Sequence

from envspec.report import states
from envspec.report.text import BLANK, Line, Span, clip, columns, indent, line, line_width
from envspec.report.timeline import Done, Step, Timeline, Track, reason
from envspec.units import format_seconds

LEGEND = "· waits   ─ until it listens   ━ until it is healthy   ◆ on the critical path"
SLOWEST = 5
SHORTEST_BAR = 20


def timeline_text(timeline: Timeline, width: int) -> list[Line]:
    """Draw a timeline within `width` columns."""
    picture = [
        _headline(timeline),
        BLANK,
        *indent(_waterfall(timeline, width - 2)),
        BLANK,
        *indent([line((LEGEND, "dim"))]),
        BLANK,
        *_section("critical path", [_step_row(step) for step in timeline.critical_path]),
        BLANK,
        *_section("slowest first", _slowest(timeline.tracks)),
        *([BLANK, *_section("faults", _faults(timeline.faults))] if timeline.faults else []),
    ]
    return [clip(item, width) for item in picture]


def _headline(timeline: Timeline) -> Line:
    took = f" {'in' if timeline.state == 'healthy' else 'after'} {format_seconds(timeline.end)}"
    return line(
        states.mark(timeline.state), " ", (timeline.environment, "bold"), " ", states.state(timeline.state),
        f"{took}  ", (timeline.session, "dim"),
    )  # fmt: skip


def _waterfall(timeline: Timeline, width: int) -> list[Line]:
    heading: list[Span] = [(word, "dim") for word in ("", "", "spawned", "listens", "healthy")]
    facts = [heading, *(_facts(track) for track in timeline.tracks)]
    if (room := width - _width(facts)) < SHORTEST_BAR:  # the bars say it, too
        facts = [row[:2] for row in facts]
        room = max(SHORTEST_BAR, width - _width(facts))
    bars = [_scale(timeline.end, room), *(_bar(track, timeline.end, room) for track in timeline.tracks)]
    rows = [[*row, bar] for row, bar in zip(facts, bars, strict=True)]
    return columns(rows, right=frozenset(range(2, len(facts[0]))))


def _width(facts: Sequence[Sequence[Span]]) -> int:
    """Return the columns that facts take, with the gap behind them."""
    return max(map(line_width, columns(facts))) + 2


def _facts(track: Track) -> list[Span]:
    return [
        ("◆" if track.critical else " ", "bold yellow"),
        (track.name, ""),
        *((_offset(at), "dim") for at in (track.spawned, track.listening, track.healthy)),
    ]


def _offset(at: float | None) -> str:
    return "-" if at is None else f"{at:.2f} s"


def _scale(end: float, room: int) -> Span:
    right = format_seconds(end)
    return f"0{right:>{room - 1}}", "dim"


def _bar(track: Track, end: float, room: int) -> Span:
    """Draw one replica's start: a mark for each column, from the moments that bound its phases."""

    def column(at: float | None, otherwise: int) -> int:
        return otherwise if at is None else min(room - 1, int(at / end * (room - 1))) if end else 0

    done = column(track.end, room - 1)
    spawned = column(track.spawned if track.spawned is not None else track.starting, done)
    listening = column(track.listening, done)
    waiting = column(track.waiting, spawned)
    phases = " " * waiting + "·" * (spawned - waiting) + "─" * (listening - spawned) + "━" * (done - listening)
    ends = {"●": track.healthy, "✗": track.failed, "○": track.exited, "…": 0.0}
    last = next(mark for mark, at in ends.items() if at is not None)
    style = "red" if track.failed is not None else "yellow" if track.critical else "green"
    return phases + last, style


def _section(title: str, rows: Sequence[Sequence[Span]]) -> list[Line]:
    return [*indent([line((title, "bold"))]), *indent(columns(rows, right=frozenset({0, 1})), 4)]


def _step_row(step: Step) -> list[Span]:
    seconds = format_seconds(step.end - step.begin)
    return [(f"{step.begin:.2f} s", "dim"), (f"+{seconds}", "bold"), (step.name, ""), (step.reason, "dim")]


def _faults(faults: Sequence[Done]) -> list[list[Span]]:
    return [
        [(f"{done.at:.2f} s", "dim"), (done.fault, "yellow"), (done.replica, ""), (done.position, "dim")]
        for done in faults
    ]


def _slowest(tracks: Sequence[Track]) -> list[list[Span]]:
    timed = [(track.end - track.starting, track) for track in tracks if track.end and track.starting is not None]
    timed.sort(key=lambda item: item[0], reverse=True)
    return [
        [("◆" if track.critical else " ", "bold yellow"), (format_seconds(seconds), ""), (track.name, ""),
         (reason(track), "dim")]
        for seconds, track in timed[:SLOWEST]
    ]  # fmt: skip
