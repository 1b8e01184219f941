"""The plan: every service with its argv, environment, files, ports and checks, nothing left to decide.

A plan is what `resolve` makes of a spec and of what was leased for it; the session orders it, the agent runs it. It
travels as JSON (`envspec.plan.codec`), so it holds nothing but plain values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from envspec.plan.fault import Fault
from envspec.record import Record

Condition = Literal["started", "healthy", "exited", "succeeded"]
Kind = Literal["service", "task"]
RestartOn = Literal["never", "failure", "always"]
ReplicaOrder = Literal["parallel", "ordered"]

CONNECTABLE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  addresses to listen on, and where to reach them


class Endpoint(Record):
    """Where a named port is reached: scheme, host and number, and for an attached service a path prefix."""

    name: str
    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def address(self) -> str:
        """`host:port`, with brackets around an IPv6 host."""
        host = CONNECTABLE.get(self.host, self.host)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """`scheme://host:port`, and the path prefix where there is one."""
        return f"{self.scheme}://{self.address}{self.path}"


class Check(Record):
    """A validator or an action, rendered: `kind` is its key in the file, `fields` are what its dataclass takes.

    `endpoints` are the places it asks (one for `port`, one per replica for `endpoint: worker.http`, none for `url` and
    for validators that need no port); it passes when all of them answer well.
    `local` says that the endpoints are ports of this environment that an agent holds, so that LISTEN can be awaited.
    `context` is what a `python` validator gets as `ctx`: services, replica, vars and session, shaped as in templates;
    `folder` is where its module is sought: beside the file that wrote it, which may be a catalog entry.
    `where` names it for people: `services.worker.health[0] (http)`; `position` is its `file:line:column`.
    """

    kind: str
    fields: Mapping[str, object]
    timeout: float
    where: str
    position: str = ""
    endpoints: tuple[Endpoint, ...] = ()
    local: bool = True
    context: Mapping[str, object] = field(default_factory=dict)
    folder: str = ""


class Liveness(Record):
    """Go on asking `health` every `every` seconds; `failures` bad answers in a row count as an exit."""

    every: float
    failures: int


class Stop(Record):
    """How a replica is asked to stop: this signal (a name without SIG), then SIGKILL after `timeout` seconds."""

    signal: str = "TERM"
    timeout: float = 10.0


class Restart(Record):
    """Whether an exit is followed by a new start; `max` bounds the restarts of a session, None does not."""

    on: RestartOn = "never"
    max: int | None = None


def behind(port: str) -> str:
    """Return the name under which the number behind a relay is leased: that of a port has no dot."""
    return f"{port}.own"


def is_behind(name: str) -> bool:
    """Return whether it is such a name."""
    return "." in name


class PortRequest(Record):
    """A named port of a replica, before it has a number.

    `ranges` are inclusive; `fixed` asks for exactly that number; `count` > 1 for a contiguous block, whose numbers
    are all within one range and at most `max`. `hold` is whether the number stays bound while the service runs.
    """

    replica: str
    port: str
    host: str = "127.0.0.1"
    ranges: tuple[tuple[int, ...], ...] = ()
    fixed: int | None = None
    count: int = 1
    max: int = 65535
    hold: Literal["keep", "release"] = "keep"
    position: str = ""


class ReplicaPlan(Record):
    """One running copy of a service, with nothing left to decide.

    `env` is the whole environment of the process. `dir` and `log` are paths on the node; `files` maps paths relative
    to `dir` to their text. `ports` and `endpoints` have a tuple for each name, longer than one only where the spec
    says `count`. `relayed` are the ports before which a relay stands, and where the service itself listens; `ports` and
    `endpoints` are the relay's then. `release` are the port numbers whose hold ends just before exec.
    An attached replica has an empty `argv`: it is validated, not started.
    `spoken_env` are the variables, as names or patterns, of which the file says whether or how the process has them;
    the others are as the caller has them. `reset_restarts` says that a restart is how it is reset.
    """

    name: str
    service: str
    index: int
    host: str
    dir: str
    log: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    files: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    endpoints: Mapping[str, tuple[Endpoint, ...]] = field(default_factory=dict)
    relayed: Mapping[str, Endpoint] = field(default_factory=dict)
    release: tuple[int, ...] = ()
    health: tuple[Check, ...] = ()
    after_healthy: tuple[Check, ...] = ()
    reset: tuple[Check, ...] = ()
    reset_restarts: bool = False
    spoken_env: tuple[str, ...] = ()
    liveness: Liveness | None = None
    start_timeout: float = 60.0
    stop: Stop = Stop()
    position: str = ""
    hint: str = ""

    @property
    def attached(self) -> bool:
        """Whether it already runs elsewhere."""
        return not self.argv

    @property
    def listens(self) -> Mapping[str, tuple[Endpoint, ...]]:
        """Where its processes listen, by the name of the port."""
        return {**self.endpoints, **{name: (own,) for name, own in self.relayed.items()}}

    def seen(self, endpoint: Endpoint) -> Endpoint:
        """Return where others reach what listens at `endpoint`: where a relay stands before it, at that."""
        return self.endpoints[endpoint.name][0] if endpoint in self.relayed.values() else endpoint


class ServicePlan(Record):
    """A service and its replicas. `depends_on` maps names of enabled services to what is awaited of them.

    `models` are the names of the models that must be on disk before it starts. `hint` says which extra provides its
    command, for the error when it does not exist.
    """

    name: str
    kind: Kind
    replicas: tuple[ReplicaPlan, ...]
    depends_on: Mapping[str, Condition] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    start: ReplicaOrder = "parallel"
    restart: Restart = Restart()
    attached: bool = False
    description: str = ""


class ModelPlan(Record):
    """A model and the directory where its files will be. `source` is "synthetic", "repo" or "path".

    `commit` is what the revision of a repo was at when the session began, empty for other sources. `warm` reads the
    weights into the page cache as soon as they are there. `position` is where the file says its source.
    """

    name: str
    served_name: str
    source: str
    options: Mapping[str, object]
    path: str
    preload: bool = True
    commit: str = ""
    warm: Literal["", "page-cache"] = ""
    position: str = ""


class Plan(Record):
    """A whole environment, ready to run: services in the order in which they stand in the file.

    `secret_vars` are the values of vars that are called like a secret (envspec.plan.redact).
    """

    environment: str
    file: str
    directory: str
    project: str
    description: str
    services: tuple[ServicePlan, ...]
    models: tuple[ModelPlan, ...] = ()
    ready: tuple[Check, ...] = ()
    start_timeout: float | None = None
    faults: tuple[Fault, ...] = ()
    secret_vars: tuple[str, ...] = ()

    @property
    def replicas(self) -> tuple[ReplicaPlan, ...]:
        """All replicas of all services, in the order of the file."""
        return tuple(replica for service in self.services for replica in service.replicas)


class Bindings(Record):
    """What a run supplies to a spec: directories and leased numbers. Plain values, so that `resolve` stays pure.

    `ports` maps replica name → port name → the numbers leased for it, one or a block. `models` maps a model's name to
    the path of its files, `commits` to the commit that its revision is at.
    """

    session: str
    directory: str
    tmp: str
    ports: Mapping[str, Mapping[str, tuple[int, ...]]] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    commits: Mapping[str, str] = field(default_factory=dict)

    @property
    def made(self) -> tuple[str, ...]:
        """What the environment itself may put programs into before it needs them, as the begins of their paths."""
        return (self.directory, self.tmp, *self.models.values())
