"""Which ports to lease for an environment, and stand-ins for where nothing is leased."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from envspec.plan.outline import Outline
from envspec.plan.plan import Bindings, ModelPlan, PortRequest, behind
from envspec.resolve.libraries import requirements
from envspec.spec.environment import Environment, Port, position


def port_requests(environment: Environment) -> tuple[PortRequest, ...]:
    """Return every port of every replica that will be started, in the order of the file."""
    return tuple(
        _request(replica, name, port, environment.host)
        for service in environment.services.values()
        if service.attached is None
        for replica in service.replica_names()
        for port in service.ports.values()
        for name, port in _numbers(port)
    )


def _numbers(port: Port) -> Iterator[tuple[str, Port]]:
    """Yield what is leased for a port: a number that all know and, behind a relay, the service's own."""
    yield port.name, replace(port, hold="keep") if port.behind else port
    if port.behind:
        yield behind(port.name), port.own


def _request(replica: str, name: str, port: Port, host: str) -> PortRequest:
    return PortRequest(
        replica=replica,
        port=name,
        host=host,
        ranges=port.ranges,
        fixed=port.fixed,
        count=port.count,
        max=port.max,
        hold=port.hold,
        position=position(port.mark),
    )


def outline(environment: Environment) -> Outline:
    """Return what a session must know of an environment before it has leased anything."""
    return Outline(
        name=environment.name,
        file=str(environment.file),
        directory=str(environment.directory),
        requires=requirements(environment),
        ports=port_requests(environment),
        models=tuple(
            ModelPlan(
                name=name,
                served_name=model.served_name,
                source=model.source,
                options=model.options,
                path="",
                preload=model.preload,
                warm=model.warm,
                position=model.position,
            )
            for name, model in environment.models.items()
        ),
    )


def stand_in(environment: Environment) -> Bindings:
    """Return plausible bindings without leasing anything: each port the first number of its range not used yet."""
    taken: set[int] = set()
    candidates: dict[object, Iterator[range]] = {}
    ports: dict[str, dict[str, tuple[int, ...]]] = {}
    for request in port_requests(environment):
        same = (request.fixed, request.ranges, request.max, request.count)
        blocks = candidates.setdefault(same, _blocks(request))
        numbers = next(block for block in blocks if taken.isdisjoint(block))
        taken.update(numbers)
        ports.setdefault(request.replica, {})[request.port] = tuple(numbers)
    session = f"{environment.name}-00000"
    return Bindings(
        session=session,
        directory=f"/envspec/sessions/{session}",
        tmp=f"/tmp/{session}",  # noqa: S108  a name to show, never made
        ports=ports,
        models={name: f"/envspec/models/{name}" for name in environment.models},
        commits={name: "0" * 40 for name, model in environment.models.items() if model.repo},
    )


def _blocks(request: PortRequest) -> Iterator[range]:
    """Yield candidates in order, and beyond the range at last: a range that is too full is the lease's to refuse."""
    if request.fixed is not None:
        yield range(request.fixed, request.fixed + request.count)
    for low, high in request.ranges:
        for number in range(low, min(high, request.max) - request.count + 2):
            yield range(number, number + request.count)
    for number in range(1, 2**31):
        yield range(number, number + request.count)
