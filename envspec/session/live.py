"""A live environment as its users hold it: in tests, in scripts, in a REPL.

`Environment` and `Service` are views: they keep nothing but a handle, and ask it each time, so that what they say is
what is. The handle is a session in a thread of this process or a detached one behind its control socket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from envspec.errors import EnvspecError, UsageError
from envspec.plan.events import Event
from envspec.plan.fault import Order
from envspec.session.breaking import Breakable
from envspec.session.live_endpoint import LiveEndpoint
from envspec.session.service_map import ServiceMap
from envspec.session.status import ReplicaStatus, SessionStatus

if TYPE_CHECKING:  # of a library that is not everybody's, and one that takes a while to import
    from openai import OpenAI
    from requests import Session

LOG_CHUNK = 65536
"""Bytes of log asked for at once: the most that the agent gives in one answer."""

WORST_FIRST = ("failed", "exited", "unhealthy", "stopped", "paused", "waiting", "starting", "healthy", "succeeded")


class Handle(Protocol):
    """What a view needs of a session, wherever it lives."""

    def status(self) -> SessionStatus:
        """Return what the session looks like now."""

    def fault(self, action: str, name: str, signal: str = "KILL", *, child: str = "", wipe: bool = False) -> None:
        """Do kill, kill_child, pause, resume, stop, start or restart to a service or a replica (envspec.plan.fault)."""

    def carry_out(self, order: Order) -> None:
        """Do what is ordered to a service, or to what passes through its ports."""

    def leave_will(self, ends: Sequence[Order]) -> Callable[[], None]:
        """Have this ordered where our process ends before it calls what is returned, which takes that back."""

    def subscribe(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call `callback`, in a thread of its own, with every event, those so far first; returns what ends that."""

    def read_log(self, replica: str, offset: int, limit: int) -> tuple[bytes, int]:
        """Return bytes of a log and the offset after them."""

    def secrets(self) -> tuple[str, ...]:
        """Return what must be masked in logs, which services write as they like."""

    def stop(self, reason: str, *, force: bool = False) -> None:
        """Take the environment down; returns when nothing is left of it. With `force`, services get a second."""


class Service(Breakable):
    """A service of a live environment, or one replica of it.

    What speaks of one process (`url`, `pid`, …) needs a service that has one replica; of several, take
    `environment["worker.0"]` or `environment["worker"].replicas[0]`.
    """

    def __init__(self, handle: Handle, name: str) -> None:
        self._handle = handle
        self.name = name

    def __repr__(self) -> str:
        return f"<Service {self.name}: {_state(lambda: self.state)}>"

    @property
    def replicas(self) -> list[Service]:
        """The replicas, each as a service of its own."""
        return [Service(self._handle, replica.name) for replica in self._statuses()]

    @property
    def state(self) -> str:
        """The state of the replica, which is paused before all else, or the worst of the replicas' states."""
        states = ("paused" if replica.paused else replica.state for replica in self._statuses())
        return min(states, key=WORST_FIRST.index, default="stopped")

    @property
    def is_paused(self) -> bool:
        """Whether a user has paused it, or one of its replicas."""
        return any(replica.paused for replica in self._statuses())

    @property
    def pid(self) -> int | None:
        """The process, or None where none runs or it runs elsewhere."""
        __tracebackhide__ = True
        return self._one().pid

    @property
    def exit_code(self) -> int | None:
        """The exit code of the process where it has ended, and by no signal, else None."""
        __tracebackhide__ = True
        return self._one().exit_code

    @property
    def ended(self) -> int | str | None:
        """How its last process ended, as `wait_exited` says it: exit code or "SIGKILL"; None where none has ended yet.

        One that was started again has ended before.
        """
        __tracebackhide__ = True
        return self._one().ended

    @property
    def ports(self) -> Mapping[str, int]:
        """Port numbers by name; a block of ports is a list."""
        __tracebackhide__ = True
        return self._one().ports

    def port(self, name: str = "http") -> int:
        """Return the number of a named port."""
        __tracebackhide__ = True
        port: int = self._named(self._one().ports, name)
        return port

    def url(self, name: str = "http") -> str:
        """Return `scheme://host:port` of a named port."""
        __tracebackhide__ = True
        url: str = self._named(self._one().endpoints, name)
        return url

    def address(self, name: str = "http") -> str:
        """Return `host:port` of a named port."""
        __tracebackhide__ = True
        return self.url(name).partition("://")[2].partition("/")[0]

    def endpoint(self, name: str = "http") -> LiveEndpoint:
        """Return what lies between a named port and those who use it, to be slowed, silenced or cut.

        Raises:
            UsageError: this is no name, or that of no port; the hint lists those that there are.
        """
        __tracebackhide__ = True
        if not name:
            raise UsageError(f"endpoint() takes the name of a port of {self.name}, such as 'http', not {name!r}")
        self._named({port: None for replica in self._statuses() for port in replica.endpoints}, name)
        return LiveEndpoint(self._handle, self.name, name)

    def http(self, port: str = "http") -> Session:
        """Return a requests session for a port: relative URLs are joined to its own, and a hung service ends them."""
        __tracebackhide__ = True
        from envspec.session.clients import http_session

        return http_session(f"{self.name}.{port}", self.url(port))

    def logs(self) -> str:
        """Return everything that it wrote so far, stdout and stderr as they came."""
        return "".join(self._log_of(replica.name) for replica in self._statuses())

    def _log_of(self, replica: str) -> str:
        pieces: list[bytes] = []
        offset = 0
        while True:
            piece, offset = self._handle.read_log(replica, offset, LOG_CHUNK)
            if not piece:
                return b"".join(pieces).decode(errors="replace")
            pieces.append(piece)

    def _statuses(self) -> list[ReplicaStatus]:
        replicas = self._handle.status().services.values()
        return [replica for replica in replicas if self.name in (replica.name, replica.service)]

    def _one(self) -> ReplicaStatus:
        __tracebackhide__ = True
        statuses = self._statuses()
        if len(statuses) == 1:
            return statuses[0]
        names = ", ".join(replica.name for replica in statuses) or "none"
        raise UsageError(
            f"{self.name} has {len(statuses)} replicas ({names}), and this asks for one of them",
            hint=f'take one by its name: environment["{self.name}.0"]',
        )

    def _named(self, ports: Mapping[str, Any], name: str) -> Any:
        __tracebackhide__ = True
        if name in ports:
            return ports[name]
        raise UsageError(f"{self.name} has no port {name!r}", hint=f"its ports: {', '.join(ports) or 'none'}")


class Environment:
    """A live environment: `environment["frontend"].url("http")`."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    def __repr__(self) -> str:
        # The directory of a session in another process is named as the session, and known when that can tell no more.
        directory = getattr(self._handle, "directory", None) or self.dir
        return f"<Environment {directory.name}: {_state(lambda: self.state)}>"

    @property
    def id(self) -> str:
        """The session's id, as `envspec ps` shows it."""
        return self._handle.status().id

    @property
    def name(self) -> str:
        """The environment's name: that of its file."""
        return self._handle.status().environment

    @property
    def dir(self) -> Path:
        """The session's directory: logs, events and the replicas' own directories."""
        return Path(self._handle.status().dir)

    @property
    def state(self) -> str:
        """starting, healthy, degraded, stopping, stopped or failed."""
        return self._handle.status().state

    @property
    def services(self) -> dict[str, Service]:
        """All services by name, in the order of the file."""
        names = dict.fromkeys(replica.service for replica in self._handle.status().services.values())
        return {name: Service(self._handle, name) for name in names}

    def __getitem__(self, name: str) -> Service:
        """Return a service or, as `worker.0`, one replica of it.

        Raises:
            UsageError: there is no such service; the hint lists those that are.
        """
        __tracebackhide__ = True
        status = self._handle.status()
        known = {replica.service for replica in status.services.values()} | set(status.services)
        if name not in known:
            raise UsageError(
                f"the environment {status.environment} has no service {name!r}",
                hint=f"it has: {', '.join(sorted(known))}",
            )
        return Service(self._handle, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.services)

    def openai(self, endpoint: str = "") -> OpenAI:
        """Return the client of the library `openai` (extra `openai`) for an endpoint, such as `frontend.http`.

        Without one, it is that which a check `openai` of `ready` asks, else of a service's health, else the only one
        for HTTP. It tries nothing twice.

        Raises:
            UsageError: which endpoint is meant cannot be told, or there is no such; the hint lists those that are.
            RequirementError: the library is not installed; the hint says how to get it.
        """
        __tracebackhide__ = True
        from envspec.session.clients import openai_client

        return openai_client(self._handle.status(), endpoint)

    @property
    def service_ports(self) -> Mapping[str, int]:
        """`"<service>_<port>"` → number, for replicas `"<service>_<index>_<port>"`."""
        return ServiceMap(self._by_port("ports"))

    @property
    def service_urls(self) -> Mapping[str, str]:
        """`"<service>_<port>"` → `scheme://host:port`, for replicas `"<service>_<index>_<port>"`."""
        return ServiceMap(self._by_port("endpoints"))

    def _by_port(self, field: str) -> Iterator[tuple[str, Any]]:
        for replica in self._handle.status().services.values():
            for port, value in getattr(replica, field).items():
                yield f"{replica.name.replace('.', '_')}_{port}", value


def _state(ask: Callable[[], str]) -> str:
    """Return what a session says of a state, or that there is none to say it: people and debuggers look at any time."""
    try:
        return ask()
    except (EnvspecError, OSError):
        return "gone"
