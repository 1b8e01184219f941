"""Where the start-up time of a session went, computed from its events and nothing else.

All times are seconds since the session began. Only the first start of a replica counts, and nothing that happens after
the start is over but faults: somebody may restart what failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from envspec.plan import events as e
from envspec.plan.codec import to_json
from envspec.record import Record
from envspec.report.event_lines import fault_words
from envspec.report.replicas import short_check
from envspec.report.text import one_line
from envspec.units import format_seconds


class Track(Record):
    """The start of one replica, or a model's way to the disk; None for what never happened.

    `healthy` is for a task when it succeeded and for a model when its files were complete; `exited` is when a task
    ended, whatever its exit code. `last` is what it waited for longest, `waits_for` what was still missing at last,
    `answer` the last answer of a validator that did not pass, `critical` whether the whole start would have been
    shorter without it.
    """

    name: str
    waiting: float | None = None
    starting: float | None = None
    spawned: float | None = None
    listening: float | None = None
    healthy: float | None = None
    exited: float | None = None
    failed: float | None = None
    last: str = ""
    waits_for: tuple[str, ...] = ()
    answer: str = ""
    critical: bool = False

    @property
    def end(self) -> float | None:
        """When it was there, or when it was clear that it would not be."""
        return next((at for at in (self.healthy, self.failed, self.exited) if at is not None), None)


class Step(Record):
    """One step of the critical path: what everything waited for between `begin` and `end`, and why it took so long."""

    name: str
    begin: float
    end: float
    reason: str


class Done(Record):
    """What was done to a replica on purpose, when, and where that is written: empty for what was ordered by hand."""

    at: float
    replica: str
    fault: str
    position: str = ""


class Timeline(Record):
    """A session's start, and the faults that were ordered in it. `seconds` is None where it never became healthy."""

    session: str
    environment: str
    state: str
    seconds: float | None
    end: float
    tracks: tuple[Track, ...]
    critical_path: tuple[Step, ...]
    faults: tuple[Done, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the shape that docs/json.md documents."""
        data: dict[str, Any] = to_json(self)
        data["replicas"] = data.pop("tracks")
        return data


def timeline(events: Iterable[e.Event], *, is_over: bool = False) -> Timeline:
    """Compute the timeline of a session from its events, in their order.

    Where it `is_over`, and its events do not say how the start went, its process was killed.
    """
    tracks: dict[str, Track] = {}
    about: dict[str, Any] = {"session": "", "environment": "", "state": "starting", "seconds": None}
    end, ready_asked = 0.0, False
    faults = []
    for event in events:
        if isinstance(event, e.FaultOrdered):
            faults.append(Done(event.at, event.replica, fault_words(event), event.position))
        if about["state"] == "starting":
            end = event.at
            ready_asked |= isinstance(event, e.CheckAnswered) and not event.replica
            _note(tracks, event)
        about |= _about_session(event, about["state"])
    if is_over and about["state"] == "starting":
        about["state"] = "killed"
    path = _critical_path(tracks, end, ready_asked=ready_asked)
    critical = {step.name for step in path}
    marked = tuple(replace(track, critical=track.name in critical) for track in tracks.values())
    return Timeline(**about, end=end, tracks=marked, critical_path=tuple(path), faults=tuple(faults))


def _about_session(event: e.Event, state: str) -> dict[str, Any]:
    """Return what an event says about the session; a start is over when it is healthy, failed or stopped."""
    match event:
        case e.SessionStarting():
            return {"session": event.session, "environment": event.environment}
        case e.SessionHealthy():
            return {"state": "healthy", "seconds": event.seconds}
        case e.SessionStopping() if state == "starting":
            return {"state": "stopped"}
        case e.SessionFailed() if state != "healthy":
            return {"state": "failed"}
    return {}


def _note(tracks: dict[str, Track], event: e.Event) -> None:
    change = _CHANGES.get(type(event))
    if change is None or getattr(event, "passed", False):
        return
    name = f"models.{event.model}" if isinstance(event, MODEL_EVENTS) else getattr(event, "replica", "")
    track = tracks.get(name, Track(name))
    if name and track.healthy is None and track.failed is None:
        first = {
            key: value for key, value in change(event).items() if key in LATEST or getattr(track, key) in (None, "")
        }
        tracks[name] = replace(track, **first)


MODEL_EVENTS = (e.ModelFetching, e.ModelWaiting, e.ModelRetrying, e.ModelReady)
LATEST = ("answer", "waits_for")
"""Fields of a track whose last value counts; of the others it is the first."""

_CHANGES: dict[type[e.Event], Callable[[Any], dict[str, Any]]] = {
    e.ModelFetching: lambda x: {"starting": x.at},
    e.ModelWaiting: lambda x: {"starting": x.at, "answer": f"waits for {one_line(x.holder)}"},
    e.ModelRetrying: lambda x: {"starting": x.at, "answer": one_line(x.reason)},
    e.ModelReady: lambda x: {"starting": x.at, "healthy": x.at},
    e.ReplicaWaiting: lambda x: {"waiting": x.at, "waits_for": x.waits_for},
    e.ReplicaStarting: lambda x: {"starting": x.at, "last": x.last},
    e.ReplicaSpawned: lambda x: {"spawned": x.at},
    e.ReplicaListening: lambda x: {"listening": x.at},
    e.CheckAnswered: lambda x: {"answer": f"{short_check(x.check)}: {one_line(x.answer)}"},
    e.ReplicaHealthy: lambda x: {"healthy": x.at},
    e.ReplicaSucceeded: lambda x: {"healthy": x.at},
    e.ReplicaExited: lambda x: {"exited": x.at} if x.expected and not x.ordered else {},
    e.ReplicaFailed: lambda x: {"failed": x.at},
}
"""What an event adds to the track that it is about."""


def _critical_path(tracks: Mapping[str, Track], end: float, *, ready_asked: bool) -> list[Step]:
    """Walk back from what decided how the start went, each time to what that had waited for longest.

    Each step ends where the next begins. What never had what it waited for is no step: it is not to blame.
    """
    steps: list[Step] = []
    track, until = _decisive(list(tracks.values())), end
    if ready_asked and track is not None and track.end is not None:
        steps.append(Step("ready", track.end, end, "the environment's own `ready`"))
        until = track.end
    seen: set[str] = set()
    while track is not None and track.name not in seen:
        seen.add(track.name)
        before = _before(tracks, track)
        if track.starting is not None or before is None:
            begin = next((moment for moment in (track.starting, track.waiting) if moment is not None), 0.0)
            steps.append(Step(track.name, min(begin, until), until, reason(track)))
            until = min(begin, until)
        track = before
    if until > 0:
        steps.append(Step("envspec", 0.0, until, "reading, leasing, planning"))
    return steps[::-1]


def _decisive(tracks: list[Track]) -> Track | None:
    """Return what failed first, else what is not there yet, else what was there last."""
    failed = [(track.failed, track) for track in tracks if track.failed is not None]
    return min(failed, key=lambda item: item[0])[1] if failed else _latest(tracks)


def _before(tracks: Mapping[str, Track], track: Track) -> Track | None:
    """Return what a track waited for longest, or waits for still."""
    names = [track.last] if track.starting is not None else list(track.waits_for)
    return _latest([found for name in names for found in _named(tracks, name)])


def _latest(tracks: list[Track]) -> Track | None:
    return max(tracks, key=lambda track: (track.end is None, track.end or 0.0), default=None)


def _named(tracks: Mapping[str, Track], last: str) -> list[Track]:
    """Return the tracks that `last` means: a replica, all replicas of a service, or a model."""
    name = last.partition(" ")[0]
    return [track for track in tracks.values() if name and (name in (track.name, track.name.partition(".")[0]))]


def reason(track: Track) -> str:
    """Say which part of a start took longest, in words."""
    if track.end is None or track.starting is None:
        return track.answer or (f"waits for {', '.join(track.waits_for)}" if track.waits_for else "not finished")
    spawned = track.spawned if track.spawned is not None else track.starting
    listening = track.listening if track.listening is not None else spawned
    last_no = f" (last no: {track.answer})" if track.answer else ""
    if track.failed is not None:
        return f"failed after {format_seconds(track.failed - track.starting)}{last_no}"
    if track.name.startswith("models."):
        held_up = f" (held up: {track.answer})" if track.answer else ""
        return f"{format_seconds(track.end - track.starting)} until its files were there{held_up}"
    parts = [
        (spawned - track.starting, "to spawn it"),
        (listening - spawned, "until it listened"),
        (track.end - listening, f"from listening until its validators passed{last_no}"),
    ]
    if track.listening is None:
        there = "healthy" if track.exited is None else "done"  # what ends while it starts is a task
        parts[2] = (track.end - spawned, f"until it was {there}{last_no}")
    seconds, words = max(parts)
    return f"{format_seconds(seconds)} {words}"
