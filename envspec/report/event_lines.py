"""One plain line an event, for whoever reads `envspec up` through a pipe or in a CI log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from envspec.plan import events as e
from envspec.report.replicas import short_check
from envspec.report.text import Line, first_line, line, one_line
from envspec.units import format_seconds

LONGEST_ANSWER = 200
"""Characters of a validator's answer that are shown in a line: enough for a status and the begin of a body."""


def event_line(event: e.Event, name_width: int = 12) -> Line | None:
    """Return what an event says to people, with the seconds since the session began; None for what says nothing new.

    `name_width` is the room for names of replicas and models, so that sentences stand under one another.
    """
    words = _WORDS.get(type(event))
    if words is None:
        return None
    name, text, style = words(event)
    return line((f"{event.at:8.2f} s  ", "dim"), f"{name:<{name_width}}  ", (one_line(text), style))


def _about(style: str, words: Callable[[Any], str]) -> Callable[[Any], tuple[str, str, str]]:
    return lambda event: (event.replica or "ready", words(event), style)


def _ended(event: e.ReplicaExited) -> str:
    how = f"died of {event.signal}" if event.signal else f"exited with code {event.exit_code}"
    return f"{how}, as ordered" if event.expected else how


def _answered(event: e.CheckAnswered) -> str:
    kind = short_check(event.check)
    return f"{kind} passed" if event.passed else f"{kind} not yet: {one_line(event.answer)[:LONGEST_ANSWER]}"


def _stopped(event: e.ReplicaStopped) -> str:
    took = format_seconds(event.seconds)
    return f"killed, its grace of {took} ran out" if event.killed else f"stopped after {took}"


_WORDS: dict[type[e.Event], Callable[[Any], tuple[str, str, str]]] = {
    e.SessionStarting: lambda x: (x.environment, f"session {x.session} in {x.directory}", "bold"),
    e.ModelFetching: lambda x: (x.model, f"model: {x.source} being made or fetched", ""),
    e.ModelReady: lambda x: (x.model, f"model: {'cached' if x.cached else 'complete'} at {x.path}", ""),
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
    e.FaultOrdered: _about("yellow", lambda x: f"{x.action} was ordered"),
    e.SessionHealthy: lambda x: ("", f"environment healthy after {format_seconds(x.seconds)}", "bold green"),
    e.SessionDegraded: lambda x: (x.replica, f"environment degraded: {first_line(x.message)}", "yellow"),
    e.SessionRecovered: lambda _: ("", "environment healthy again", "green"),
    e.SessionFailed: lambda x: ("", f"environment failed: {first_line(x.message)}", "bold red"),
    e.SessionStopping: lambda x: ("", f"stopping: {x.reason}", "bold"),
    e.SessionStopped: lambda x: ("", f"stopped after {format_seconds(x.seconds)}", "bold"),
    e.Warned: lambda x: (x.replica, f"warning: {x.message}", "yellow"),
}
