"""What templates see once there are ports: the environment as plain values, shaped as LANGUAGE.md says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from envspec.plan.plan import Bindings, Endpoint, behind
from envspec.record import Record
from envspec.spec.environment import Environment, Service
from envspec.spec.template import Unavailable

EndpointsByPort = Mapping[str, tuple[Endpoint, ...]]


class Watched(Mapping[str, Any]):
    """A mapping that remembers which of its keys were read: naming a model is what makes a service need it."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self.read: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        value = self._values[key]
        self.read.add(key)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: object) -> bool:
        return key in self._values


class World(Record):
    """An environment with its bindings: where everything is, and how templates see it."""

    environment: Environment
    bindings: Bindings
    environ: Mapping[str, str]
    endpoints: Mapping[str, EndpointsByPort]
    """Replica → port → endpoints as others see them, more than one for a block."""
    relayed: Mapping[str, Mapping[str, Endpoint]]
    """Replica → port → where the service itself listens, of ports before which a relay stands."""
    services: Mapping[str, dict[str, Any]]
    models: Mapping[str, dict[str, Any]]
    session: Mapping[str, str] = field(default_factory=dict)

    def names(self) -> dict[str, Any]:
        """Return what templates outside of services see."""
        return {
            "vars": self.environment.vars,
            "matrix": {},
            "env": self.environ,
            "models": self.models,
            "services": self.services,
            "session": self.session,
            "project": str(self.environment.project),
        }

    def listening(self, replica: str) -> EndpointsByPort:
        """Return where the processes of a replica listen."""
        return {**self.endpoints[replica], **{name: (own,) for name, own in self.relayed[replica].items()}}

    def own(self, service: Service, index: int) -> dict[str, Any]:
        """Return a replica as it sees itself: its ports are those that it listens on."""
        seen: dict[str, Any] = self.services[service.name]["replicas"][index]
        relayed = self.relayed[seen["name"]]
        if not relayed:
            return seen
        return {
            **seen,
            "ports": {**seen["ports"], **{name: own.port for name, own in relayed.items()}},
            "addresses": {**seen["addresses"], **{name: own.address for name, own in relayed.items()}},
            "endpoints": {**seen["endpoints"], **{name: own.url for name, own in relayed.items()}},
        }

    def own_names(self, service: Service, index: int) -> dict[str, Any]:
        """Return what templates of a replica see beside that."""
        entry = self.services[service.name]
        replica = self.own(service, index)
        shorts = {name: replica[name] for name in ("ports", "addresses", "endpoints", "gpus")}
        return {"replica": replica, "service": entry, **shorts}

    def context(self, replica: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the `ctx` of a `python` validator: plain values, without what cannot be read here."""
        services = {name: _readable(entry) for name, entry in self.services.items()}
        return {
            "services": services,
            "replica": _readable(replica),
            "vars": dict(self.environment.vars),
            "session": self.session,
        }


def world_of(environment: Environment, bindings: Bindings, environ: Mapping[str, str]) -> World:
    """Bring an environment and its bindings together."""
    endpoints = {
        replica: _endpoints(service, replica, environment.host, bindings)
        for service in environment.services.values()
        for replica in service.replica_names()
    }
    relayed = {
        replica: _relayed(service, replica, environment.host, bindings)
        for service in environment.services.values()
        for replica in service.replica_names()
    }
    models = {
        name: {
            "name": model.served_name,
            "path": bindings.models.get(name, ""),
            "repo": model.repo,
            "commit": bindings.commits.get(name),
        }
        for name, model in environment.models.items()
    }
    services = {
        name: _service(service, endpoints, environment, bindings) for name, service in environment.services.items()
    }
    session = {"id": bindings.session, "dir": bindings.directory, "tmp": bindings.tmp}
    return World(environment, bindings, environ, endpoints, relayed, services, models, session)


def replica_directory(bindings: Bindings, replica: str) -> str:
    """Return the directory of a replica on its node."""
    return f"{bindings.directory}/replicas/{replica}"


def _endpoints(service: Service, replica: str, host: str, bindings: Bindings) -> EndpointsByPort:
    if service.attached is not None:
        return service.attached
    numbers = bindings.ports.get(replica, {})
    return {
        name: tuple(Endpoint(name, port.scheme, host, number) for number in numbers[name])
        for name, port in service.ports.items()
    }


def _relayed(service: Service, replica: str, host: str, bindings: Bindings) -> dict[str, Endpoint]:
    if service.attached is not None:
        return {}
    numbers = bindings.ports.get(replica, {})
    relayed = [port for port in service.ports.values() if port.behind]
    return {port.name: Endpoint(port.name, port.scheme, host, numbers[behind(port.name)][0]) for port in relayed}


def _service(
    service: Service, endpoints: Mapping[str, EndpointsByPort], environment: Environment, bindings: Bindings
) -> dict[str, Any]:
    replicas = [
        _replica(service, name, index, endpoints[name], environment, bindings)
        for index, name in enumerate(service.replica_names())
    ]
    entry: dict[str, Any] = {"name": service.name, "enabled": service.enabled, "replicas": replicas}
    if not service.enabled:
        why = Unavailable(
            f"the service '{service.name}' is not enabled", f"ask first: if services.{service.name}.enabled"
        )
        return {**dict.fromkeys(("index", "host", "dir", "ports", "addresses", "endpoints", "gpus"), why), **entry}
    if service.replicas_written:
        hint = f"write services.{service.name}.replicas[0], or `for` over all of them"
        why = Unavailable(f"the service '{service.name}' has replicas, each with its own", hint)
        return {**dict.fromkeys(("index", "host", "dir", "ports", "addresses", "endpoints", "gpus"), why), **entry}
    return {**replicas[0], **entry}


def _replica(
    service: Service, name: str, index: int, endpoints: EndpointsByPort, environment: Environment, bindings: Bindings
) -> dict[str, Any]:
    def each(read: Any) -> dict[str, Any]:
        values = {port: [read(endpoint) for endpoint in block] for port, block in endpoints.items()}
        blocks = {port.name for port in service.ports.values() if port.block}
        unsaid = {port: Unavailable(*why) for port in service.ports if (why := not_attached(service, port))}
        return {port: block if port in blocks or block[1:] else block[0] for port, block in values.items()} | unsaid

    first = next(iter(endpoints.values()), ())
    host = first[0].host if service.attached is not None and first else environment.host
    return {
        "name": name,
        "index": index,
        "host": host,
        "dir": replica_directory(bindings, name),
        "ports": each(lambda endpoint: endpoint.port),
        "addresses": each(lambda endpoint: endpoint.address),
        "endpoints": each(lambda endpoint: endpoint.url),
        "gpus": [],
    }


def not_attached(service: Service, port: str) -> tuple[str, str] | None:
    """Return message and hint for a declared port of which `attach` does not say where it is; None for any other."""
    if service.attached is None or port in service.attached or port not in service.ports:
        return None
    message = f"{service.name} is attached, and attach does not say where its port '{port}' is"
    return message, f"add it: attach: {{ports: {{{port}: …}}}}"


def _readable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _readable(item) for key, item in value.items() if not isinstance(item, Unavailable)}
    return [_readable(item) for item in value] if isinstance(value, list) else value
