"""Where the time of a test run went: each environment's start, with its critical path, its tests, and its stop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap

from envspec.plan import events as e
from envspec.record import Record
from envspec.report import states
from envspec.report.text import Line, Span, clip, columns, indent, line
from envspec.report.timeline import Timeline, timeline
from envspec.units import format_seconds

MOST_SHOWN = 12
"""Sessions that get lines of their own; of tests that each have an environment there may be thousands."""


class Used(Record):
    """A session of a run: its start, the seconds of its stop (None where it was left up), and what ran in it.

    `tests` ran in `seconds` from the begin of the first to the end of the last, whatever stood between.
    `attached` says that it was up before the run; its start is then what it took to get it.
    """

    start: Timeline
    stop: float | None = None
    tests: int = 0
    seconds: float = 0.0
    attached: bool = False


def used(events: Sequence[e.Event], *, tests: int, seconds: float, attached: bool) -> Used:
    """Return what the events of a session say of its start and its end."""
    stops = [event.seconds for event in events if isinstance(event, e.SessionStopped)]
    return Used(timeline(events), next(iter(stops), None), tests, seconds, attached)


def run_summary(sessions: Sequence[Used], width: int) -> list[Line]:
    """Draw the sessions in the order in which they began, within `width` columns; with many, the slowest starts."""
    shown = list(sessions)
    if len(shown) > MOST_SHOWN:
        shown = sorted(shown, key=lambda one: one.start.end, reverse=True)[:MOST_SHOWN]
    heading: list[Span] = [(word, "dim") for word in ("", "environment", "start", "tests", "stop", "session")]
    table = columns([heading, *map(_row, shown)])
    picture = table[:1]
    for one, row in zip(shown, table[1:], strict=True):
        picture += [row, *_path(one, width)]
    if rest := len(sessions) - len(shown):
        total = sum(one.start.end for one in sessions)
        picture.append(line((f"… and {rest} more, all {len(sessions)} took {format_seconds(total)} to start", "dim")))
    return [clip(item, width) for item in picture]


def _row(one: Used) -> list[Span]:
    start = one.start
    took = format_seconds(start.end)
    began = (
        f"attached in {took}" if one.attached else took if start.state == "healthy" else f"{start.state} after {took}"
    )
    ran = f"{one.tests} in {format_seconds(one.seconds)}" if one.tests else "none"
    return [
        states.mark("healthy" if one.attached else start.state),
        (start.environment, "bold"),
        (began, ""),
        (ran, ""),
        ("left up" if one.stop is None else format_seconds(one.stop), ""),
        (start.session, "dim"),
    ]


def _path(one: Used, width: int) -> Iterable[Line]:
    """Yield the critical path, as many lines as it takes."""
    if one.attached:
        return
    steps = [f"{step.name} {format_seconds(step.end - step.begin)}" for step in one.start.critical_path]
    # A step is one word to whoever wraps the lines: no name is apart from its seconds.
    words = " → ".join(step.replace(" ", "\0") for step in steps)
    for text in wrap(f"critical\0path: {words}", max(width - 4, 20), break_long_words=False, break_on_hyphens=False):
        yield from indent([line((text.replace("\0", " "), "dim"))], 4)
