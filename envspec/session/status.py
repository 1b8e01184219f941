"""What a session looks like right now, computed from its events and nothing else.

`SessionStatus` is the JSON shape that `envspec ps` and `envspec up -d` print (documented in docs/json.md). The live
table, the control socket and a reader of `events.jsonl` all fold the same events, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, replace
from typing import Any, Literal

from envspec.plan import events as e
from envspec.plan.plan import Plan, ReplicaPlan
from envspec.record import Record

SessionState = Literal["starting", "healthy", "degraded", "stopping", "stopped", "failed"]
ReplicaState = Literal["waiting", "starting", "healthy", "unhealthy", "succeeded", "exited", "failed", "stopped"]

STANDS_STILL = {"STOP": True, "CONT": False}
"""Whether a process is paused after a signal that does not end it."""


class ReplicaStatus(Record):
    """One replica: `ports` and `endpoints` hold one value a name, or a list where the spec asks for a block.

    `relayed` are the ports before which a relay stands. `stopping` says that it was sent its stop signal and something
    of it still runs, for `stop_timeout` seconds at most.
    """

    name: str
    service: str
    state: ReplicaState = "waiting"
    pid: int | None = None
    exit_code: int | None = None
    signal: str | None = None
    host: str = "127.0.0.1"
    ports: dict[str, Any] = field(default_factory=dict)
    endpoints: dict[str, Any] = field(default_factory=dict)
    relayed: tuple[str, ...] = ()
    starts: int = 0
    paused: bool = False
    stopping: bool = False
    stop_timeout: float = 0.0
    waits_for: tuple[str, ...] = ()
    refusals: dict[str, str] = field(default_factory=dict)
    """What each validator that has not passed said last; who said something new last is the last."""
    spawned_at: float | None = None
    healthy_at: float | None = None
    ended: int | str | None = None
    """Exit code or signal of the last process that ended, whatever started after it, and `ended_at` when that was."""
    ended_at: float | None = None
    killed_at: float | None = None
    """When a user killed it or a child of it, unless a user has stopped or started it since."""
    log: str = ""
    message: str = ""

    @property
    def refusal(self) -> tuple[str, str]:
        """The validator that has not passed, and what it said last; of several the last to say something new."""
        return next(reversed(self.refusals.items()), ("", ""))


class SessionStatus(Record):
    """A session and its replicas by name, in the order of the file."""

    id: str
    environment: str
    state: SessionState = "starting"
    dir: str = ""
    pid: int | None = None
    file: str = ""
    started: float = 0.0
    seconds: float | None = None
    message: str = ""
    hint: str = ""
    exit_code: int = 0
    identity: str = ""
    lent_to: str = ""
    ends: float | None = None
    """When it stops unless somebody borrows it, in seconds since the epoch; None where it does not by itself."""
    events: int = 0
    """How many there were so far: who listens knows by it what is still on its way."""
    services: dict[str, ReplicaStatus] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the documented shape of DESIGN §4: `services` is a list of replicas."""
        return {
            "id": self.id,
            "environment": self.environment,
            "state": self.state,
            "dir": self.dir,
            "pid": self.pid,
            "file": self.file,
            "started": self.started,
            "seconds": self.seconds,
            "message": self.message,
            "identity": self.identity or None,
            "lent_to": self.lent_to or None,
            "ends": self.ends,
            "services": [replica_to_json(replica) for replica in self.services.values()],
        }


def replica_to_json(replica: ReplicaStatus) -> dict[str, Any]:
    """Return the documented shape of one replica."""
    names = (
        "name",
        "service",
        "state",
        "pid",
        "exit_code",
        "signal",
        "host",
        "ports",
        "endpoints",
        "relayed",
        "starts",
    )
    return {name: getattr(replica, name) for name in (*names, "paused", "stopping", "log", "message")}


def planned(status: SessionStatus, plan: Plan) -> SessionStatus:
    """Return the status with every replica of the plan in it, waiting, ports and endpoints known."""
    return replace(status, services={replica.name: _planned_replica(replica) for replica in plan.replicas})


def _planned_replica(replica: ReplicaPlan) -> ReplicaStatus:
    one_or_list = {name: numbers[0] if len(numbers) == 1 else list(numbers) for name, numbers in replica.ports.items()}
    urls = {name: [endpoint.url for endpoint in block] for name, block in replica.endpoints.items()}
    return ReplicaStatus(
        name=replica.name,
        service=replica.service,
        host=replica.host,
        ports=one_or_list,
        endpoints={name: block[0] if len(block) == 1 else block for name, block in urls.items()},
        relayed=tuple(replica.relayed),
        log=replica.log,
        stop_timeout=replica.stop.timeout,
    )


def apply(status: SessionStatus, event: e.Event) -> SessionStatus:
    """Return the status after `event`. Events about unknown replicas change nothing but their number."""
    status = replace(status, events=status.events + 1)
    change = _SESSION.get(type(event))
    if change is not None:
        changed = replace(status, **change(event))
        return _all_over(changed) if isinstance(event, e.SessionStopped) else changed
    replica = status.services.get(getattr(event, "replica", ""))
    if replica is None:
        return status
    changes = _changes_by(event, replica)
    if replica.state == "failed" and isinstance(event, e.ReplicaExited | e.ReplicaStopped):
        del changes["state"]  # it is taken down for having failed, which is what there is to know of it
    return replace(status, services={**status.services, replica.name: replace(replica, **changes)})


def _all_over(status: SessionStatus) -> SessionStatus:
    """Return the status of a session of which nothing is left, though not each replica's end was told: by force."""
    return replace(status, services={name: _over(replica) for name, replica in status.services.items()})


def _over(replica: ReplicaStatus) -> ReplicaStatus:
    ended = replace(replica, pid=None, waits_for=(), paused=False, stopping=False)
    ran = replica.pid is not None and replica.state != "failed"
    return replace(ended, state="stopped") if ran or replica.state in ("waiting", "starting") else ended


def _changes_by(event: e.Event, replica: ReplicaStatus) -> dict[str, Any]:
    if isinstance(event, e.CheckAnswered):
        others = {check: answer for check, answer in replica.refusals.items() if check != event.check}
        return {"refusals": others if event.passed else {**others, event.check: event.answer}}
    change = _REPLICA.get(type(event))
    return change(event) if change is not None else {}


def _exited(event: Any) -> dict[str, Any]:
    ended = {"ended": event.signal or event.exit_code, "ended_at": event.at}
    how = {"exit_code": event.exit_code, "signal": event.signal}
    return {"state": "exited", "pid": None, "paused": False, **how, **ended}


def _fault(event: Any) -> dict[str, Any]:
    if event.endpoint:
        return {}  # done to what comes and goes, not to the replica
    if event.action in ("pause", "resume"):
        return {"paused": event.action == "pause"}
    if event.action == "kill" and event.signal in STANDS_STILL:
        return {"paused": STANDS_STILL[event.signal]}
    return {"killed_at": event.at if event.action in ("kill", "kill_child") else None}


_SESSION: dict[type[e.Event], Callable[[Any], dict[str, Any]]] = {
    e.SessionStarting: lambda event: {"started": event.time, "pid": event.pid, "dir": event.directory},
    e.SessionHealthy: lambda event: {"state": "healthy", "seconds": event.seconds, "message": ""},
    e.SessionDegraded: lambda event: {"state": "degraded", "message": event.message},
    e.SessionRecovered: lambda _event: {"state": "healthy", "message": ""},
    e.SessionFailed: lambda event: {
        "state": "failed",
        "message": event.message,
        "hint": event.hint,
        "exit_code": event.exit_code,
    },
    e.SessionIdentified: lambda event: {"identity": event.identity},
    e.SessionLent: lambda event: {"lent_to": event.to, "ends": None},
    e.SessionReturned: lambda event: {"lent_to": "", "ends": None if event.ttl is None else event.time + event.ttl},
    e.SessionStopping: lambda _event: {"state": "stopping"},
    e.SessionStopped: lambda _event: {"state": "stopped"},
}

_REPLICA: dict[type[e.Event], Callable[[Any], dict[str, Any]]] = {
    e.ReplicaWaiting: lambda event: {"state": "waiting", "waits_for": event.waits_for},
    e.ReplicaStarting: lambda event: {
        "state": "starting",
        "waits_for": (),
        "starts": event.start + 1,
        "exit_code": None,
        "signal": None,
        "refusals": {},
        "message": "",
        "healthy_at": None,
        "paused": False,
        "stopping": False,
    },
    e.ReplicaSpawned: lambda event: {"pid": event.pid, "spawned_at": event.at},
    e.ReplicaHealthy: lambda event: {"state": "healthy", "healthy_at": event.at, "refusals": {}},
    e.ReplicaUnhealthy: lambda event: {"state": "unhealthy", "refusals": {event.check: event.answer}},
    e.ReplicaExited: _exited,
    e.ReplicaSucceeded: lambda _event: {"state": "succeeded"},
    e.ReplicaFailed: lambda event: {"state": "failed", "message": event.message},
    e.ReplicaStopping: lambda _event: {"stopping": True},
    e.ReplicaStopped: lambda _event: {"state": "stopped", "pid": None, "paused": False, "stopping": False},
    e.FaultOrdered: _fault,
}
