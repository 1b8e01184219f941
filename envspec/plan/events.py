"""The events of a session: the only output of a run.

The live table, `ps`, the timeline and every report are drawn from them. `events.jsonl` holds one JSON object a line:
`{"event": "replica-healthy", "at": 0.812, "time": 1790000000.1, …fields}`; `at` is seconds since the session began
(monotonic), `time` is seconds since the epoch. Readers must ignore events and fields that they do not know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field, fields
from typing import Any

from envspec.plan import event as base
from envspec.plan import lending_events as lending
from envspec.plan import model_events as models
from envspec.plan.codec import from_json, to_json

Event = base.Event
ModelFetching = models.ModelFetching
ModelReady = models.ModelReady
ModelProgress = models.ModelProgress
ModelWaiting = models.ModelWaiting
ModelRetrying = models.ModelRetrying
ModelWarmed = models.ModelWarmed
SessionIdentified = lending.SessionIdentified
SessionLent = lending.SessionLent
SessionReturned = lending.SessionReturned


class SessionStarting(Event):
    """The session exists: its directory is made and its agent is up."""

    session: str
    environment: str
    file: str
    directory: str
    pid: int
    backend: str


class PortsLeased(Event):
    """All ports of the environment are held. Replica → port → numbers."""

    ports: Mapping[str, Mapping[str, tuple[int, ...]]]


class ReplicaWaiting(Event):
    """A replica cannot start yet; `waits_for` names services (with the awaited condition) and models."""

    replica: str
    waits_for: tuple[str, ...]


class ReplicaStarting(Event):
    """Whatever a replica waited for is there. `last` is what came last: the edge that the critical path follows."""

    replica: str
    start: int = 0
    last: str = ""


class ReplicaSpawned(Event):
    """The process runs."""

    replica: str
    pid: int
    argv: tuple[str, ...]


class ReplicaListening(Event):
    """The first LISTEN socket on one of its ports was seen, and belongs to the replica."""

    replica: str
    port: str
    number: int


class CheckAnswered(Event):
    """A validator gave another answer than the time before. `replica` is empty for the environment's `ready`."""

    replica: str
    check: str
    passed: bool
    answer: str
    tries: int


class ReplicaHealthy(Event):
    """All validators passed, and `after_healthy` is done. `seconds` counts from the spawn."""

    replica: str
    seconds: float


class ReplicaUnhealthy(Event):
    """Liveness failed so often in a row that it counts as an exit.

    `ordered` says that a user had paused it, `restarts` that its policy starts it again.
    """

    replica: str
    check: str
    answer: str
    ordered: bool = False
    restarts: bool = False


class ReplicaExited(Event):
    """The process ended. One of `exit_code` and `signal` (a name, "SIGKILL") is set.

    `ordered` says that envspec or the user ended it, `expected` the same, or that it is a task; `restarts` that its
    policy starts it again. `oom` is the kernel's evidence that it was killed because memory ran out, else empty.
    """

    replica: str
    pid: int
    exit_code: int | None
    signal: str | None
    expected: bool
    ordered: bool = False
    restarts: bool = False
    oom: str = ""


class ReplicaSucceeded(Event):
    """A task ended with exit code 0."""

    replica: str
    seconds: float


class ReplicaFailed(Event):
    """A replica is lost to the session: what happened, and what to do."""

    replica: str
    error: str
    message: str
    hint: str = ""


class ReplicaStopping(Event):
    """A replica was sent its stop signal."""

    replica: str
    signal: str


class ReplicaStopped(Event):
    """Nothing of the replica is left. `killed` says that its grace ran out."""

    replica: str
    killed: bool
    seconds: float


class FaultOrdered(Event):
    """Somebody asked for a fault, and it is about to be done.

    `action` is kill, pause, resume, stop, start, restart or kill_child, or for what passes through the port `endpoint`,
    latency, drop, throttle, reset or heal, of which `detail` says how much. `signal` is what a kill sends, `child` the
    descendant that kill_child found ("pid command"), `wipe` whether the replica's directory is emptied. `position` is
    where the fault is written, empty for what was ordered by hand.
    """

    replica: str
    action: str
    signal: str = ""
    child: str = ""
    wipe: bool = False
    position: str = ""
    endpoint: str = ""
    detail: str = ""


class SessionHealthy(Event):
    """Every service is healthy and the environment's `ready` passed. `seconds` counts from the session's begin."""

    seconds: float


class SessionDegraded(Event):
    """A service of a healthy environment was lost; the others go on."""

    replica: str
    message: str


class SessionRecovered(Event):
    """Nothing of a degraded environment is lost any more: somebody started or restarted what was."""


class SessionFailed(Event):
    """The environment did not start: the error's class, its sentence, its hint, and the exit code that it means."""

    error: str
    message: str
    hint: str = ""
    exit_code: int = 4
    details: Mapping[str, object] = field(default_factory=dict)


class SessionStopping(Event):
    """The session takes everything down. `reason` is for people."""

    reason: str


class SessionStopped(Event):
    """Nothing runs any more, and all leases are given back."""

    seconds: float


class Warned(Event):
    """Something that harms nothing yet, but that somebody should know."""

    message: str
    replica: str = ""


def event_name(kind: type[Event]) -> str:
    """Return the name of an event in JSON: `ReplicaHealthy` is `replica-healthy`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower()


_OWN_FIRST = sorted(Event.__subclasses__(), key=lambda kind: kind.__module__ != __name__)
EVENTS: dict[str, type[Event]] = {event_name(kind): kind for kind in _OWN_FIRST}


def event_to_json(event: Event) -> dict[str, Any]:
    """Return an event as it stands in `events.jsonl`."""
    return {"event": event_name(type(event)), **to_json(event)}


def event_from_json(data: Mapping[str, Any]) -> Event | None:
    """Read an event back; None for one that this version does not know."""
    kind = EVENTS.get(str(data.get("event")))
    return None if kind is None else from_json(kind, data)


def event_fields(kind: type[Event]) -> list[str]:
    """Return the names of an event's own fields, for the reference page."""
    return [item.name for item in fields(kind) if item.name not in ("at", "time")]
