"""One line about a start under way: how long it has been, and what it waits for."""

from __future__ import annotations

from collections.abc import Sequence

from envspec.plan import events as e
from envspec.report.downloads import Download, downloads_after
from envspec.report.replicas import short_check
from envspec.report.text import one_line
from envspec.report.timeline import Track, timeline

NAMED = 3
"""Replicas and models that are named of those that are waited for."""
LONGEST_ANSWER = 60
"""Characters of a check's last answer: a status, or which error."""


def start_line(environment: str, events: Sequence[e.Event], now: float) -> str:
    """Say what an environment waits for, `now` seconds after its session began, of which these are all events."""
    names = waited_for(events, now)
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{environment}: {_clock(now)}{', waiting for ' if names else ''}{', '.join(names[:NAMED])}{more}"


def waited_for(events: Sequence[e.Event], now: float) -> list[str]:
    """Return what has begun and is not there yet, each with the last that it said; at the end, the environment itself.

    What waits for others is not to blame, and is left out.
    """
    downloads: dict[str, Download] = {}
    for event in events:
        downloads = dict(downloads_after(downloads, event))
    tracks = [track for track in timeline(events).tracks if not track.name.startswith("models.")]
    under_way = [_replica(track) for track in tracks if track.starting is not None and track.end is None]
    under_way += [_model(name, download, now) for name, download in downloads.items()]
    return under_way or _ready(events)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _replica(track: Track) -> str:
    return track.name + (f" ({_cut(track.answer)})" if track.answer else "")


def _model(name: str, download: Download, now: float) -> str:
    if download.state(now) != "fetching":
        return f"model {name} ({_cut(download.words(now))})"
    return f"model {name}" + (f" {100 * download.done / download.total:.0f} %" if download.total else "")


def _ready(events: Sequence[e.Event]) -> list[str]:
    """Return the environment's own check, the last of them that has not passed."""
    last = next((event for event in reversed(events) if isinstance(event, e.CheckAnswered)), None)
    if last is None or last.replica or last.passed:
        return []
    return [f"ready ({_cut(f'{short_check(last.check)}: {last.answer}')})"]


def _cut(text: str) -> str:
    text = one_line(text)
    return text if len(text) <= LONGEST_ANSWER else f"{text[: LONGEST_ANSWER - 1]}…"
