"""One plain line an event, for whoever reads `envspec up` through a pipe or in a CI log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from envspec.plan import events as e
from envspec.report.downloads import Download
from envspec.report.replicas import short_check
from envspec.report.text import Line, first_line, line, one_line
from envspec.units import format_seconds, format_size

LONGEST_ANSWER = 200
"""Characters of a validator's answer that are shown in a line: enough for a status and the begin of a body."""
SHOWN_OF_COMMIT = 12
"""Digits of a commit that name it among others, as git abbreviates those of large repositories."""


def event_line(event: e.Event, name_width: int = 12) -> Line | None:
    """Return what an event says to people, with the seconds since the session began; None for what says nothing new.

    `name_width` is the room for names of replicas and models, so that sentences stand under one another.
    """
    words = _WORDS.get(type(event))
    if words is None:
        return None
    return _line(event.at, *words(event), name_width)


def download_line(download: Download, at: float, name_width: int = 12) -> Line:
    """Return how far a model is, which takes more than one event to tell: its speed, the time left."""
    return _line(at, download.name, download.words(at), "dim", name_width)


def _line(at: float, name: str, text: str, style: str, name_width: int) -> Line:
    return line((f"{at:8.2f} s  ", "dim"), f"{name:<{name_width}}  ", (one_line(text), style))


def _of_model(style: str, words: Callable[[Any], str]) -> Callable[[Any], tuple[str, str, str]]:
    return lambda event: (f"models.{event.model}", words(event), style)


def _ready(event: e.ModelReady) -> str:
    if event.cached and not event.seconds:
        return f"cached at {event.path}"
    return f"complete after {format_seconds(event.seconds)}, {_came(event)} at {event.path}"


def _came(event: e.ModelReady) -> str:
    if event.cached:
        return "nothing of it had to come,"
    part = f" of {format_size(event.total)} had to come," if event.bytes < event.total else ""
    return f"{format_size(event.bytes)}{part}"


def _fetching(event: e.ModelFetching) -> str:
    commit = f", commit {event.commit[:SHOWN_OF_COMMIT]}" if event.commit else ""
    return f"being {'made' if event.source == 'synthetic' else 'fetched'}{commit}"


def _warmed(event: e.ModelWarmed) -> str:
    amount = f"{format_size(event.bytes)} of {format_size(event.total)}"
    return f"{amount} in the page cache after {format_seconds(event.seconds)}"


def _retrying(event: e.ModelRetrying) -> str:
    if not event.seconds:
        return event.reason
    return f"{event.reason}, again in {format_seconds(event.seconds)} (attempt {event.attempt})"


def _about(style: str, words: Callable[[Any], str]) -> Callable[[Any], tuple[str, str, str]]:
    return lambda event: (event.replica or "ready", words(event), style)


def _ended(event: e.ReplicaExited) -> str:
    if event.expected and not event.ordered and event.exit_code == 0:
        return "finished"
    return f"{ending(event)}, as ordered" if event.ordered else ending(event)


def ending(event: e.ReplicaExited) -> str:
    """Say how a process ended."""
    return f"died of {event.signal}" if event.signal else f"exited with code {event.exit_code}"


def _answered(event: e.CheckAnswered) -> str:
    kind = short_check(event.check)
    return f"{kind} passed" if event.passed else f"{kind} not yet: {one_line(event.answer)[:LONGEST_ANSWER]}"


def _stopped(event: e.ReplicaStopped) -> str:
    took = format_seconds(event.seconds)
    return f"killed, its grace of {took} ran out" if event.killed else f"stopped after {took}"


def fault_words(event: e.FaultOrdered) -> str:
    """Say what was ordered of a replica: `kill (SIGTERM)`, `kill_child (SIGKILL to 123 EngineCore)`, `drop of http`."""
    signal = f"SIG{event.signal}" if event.signal else ""
    details = [f"{signal} to {event.child}" if event.child else signal, "wiped" if event.wipe else "", event.detail]
    said = ", ".join(filter(None, details))
    action = f"{event.action} of {event.endpoint}" if event.endpoint else event.action
    return f"{action} ({said})" if said else action


def _left(ttl: float | None) -> str:
    return "" if ttl is None else f", ends in {format_seconds(ttl)} unless it is lent again"


_WORDS: dict[type[e.Event], Callable[[Any], tuple[str, str, str]]] = {
    e.SessionStarting: lambda x: (x.environment, f"session {x.session} in {x.directory}", "bold"),
    e.ModelFetching: _of_model("", _fetching),
    e.ModelProgress: _of_model("dim", lambda x: " of ".join(format_size(each) for each in (x.done, x.total) if each)),
    e.ModelWaiting: _of_model("dim", lambda x: f"waits for {x.holder}"),
    e.ModelRetrying: _of_model("yellow", _retrying),
    e.ModelReady: _of_model("green", _ready),
    e.ModelWarmed: _of_model("dim", _warmed),
    e.ReplicaWaiting: _about("dim", lambda x: f"waits for {', '.join(x.waits_for)}"),
    e.ReplicaSpawned: _about("", lambda x: f"runs as pid {x.pid}"),
    e.ReplicaListening: _about("", lambda x: f"listens on {x.port} {x.number}"),
    e.CheckAnswered: _about("yellow", _answered),
    e.ReplicaHealthy: _about("green", lambda x: f"healthy after {format_seconds(x.seconds)}"),
    e.ReplicaUnhealthy: _about("yellow", lambda x: f"unhealthy, {short_check(x.check)} says: {x.answer}"),
    e.ReplicaExited: _about("yellow", _ended),
    e.ReplicaSucceeded: _about("green", lambda x: f"succeeded after {format_seconds(x.seconds)}"),
    e.ReplicaFailed: _about("red", lambda x: f"failed: {first_line(x.message)}"),
    e.ReplicaStopping: _about("dim", lambda x: f"stopping, sent SIG{x.signal.removeprefix('SIG')}"),
    e.ReplicaStopped: _about("dim", _stopped),
    e.FaultOrdered: _about("yellow", lambda x: f"{fault_words(x)} was ordered"),
    e.SessionHealthy: lambda x: ("", f"environment healthy after {format_seconds(x.seconds)}", "bold green"),
    e.SessionDegraded: lambda x: (x.replica, f"environment degraded: {first_line(x.message)}", "yellow"),
    e.SessionRecovered: lambda _: ("", "environment healthy again", "green"),
    e.SessionLent: lambda x: ("", f"lent to {x.to}", "dim"),
    e.SessionReturned: lambda x: ("", "given back" + _left(x.ttl), "dim"),
    e.SessionFailed: lambda x: ("", f"environment failed: {first_line(x.message)}", "bold red"),
    e.SessionStopping: lambda x: ("", f"stopping: {x.reason}", "bold"),
    e.SessionStopped: lambda x: ("", f"stopped after {format_seconds(x.seconds)}", "bold"),
    e.Warned: lambda x: (x.replica, f"warning: {x.message}", "yellow"),
}
