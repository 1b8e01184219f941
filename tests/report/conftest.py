"""A small environment at hand: its plan, and events of its start, made by hand for drawings to draw."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from envspec.plan import events as e
from envspec.plan.plan import Check, Endpoint, Plan, ReplicaPlan, ServicePlan

SCHEMES = {"client": "http", "http": "http"}
HTTP_CHECK = "services.worker.health[0] (http)"


def _replica(name: str, **ports: tuple[int, ...]) -> ReplicaPlan:
    service, _, index = name.partition(".")
    return ReplicaPlan(
        name=name, service=service, index=int(index or 0), host="127.0.0.1", dir="/d", log="/l", argv=("x",), env={},
        cwd="/", ports=ports,
        endpoints={
            port: tuple(Endpoint(port, SCHEMES.get(port, "tcp"), "127.0.0.1", number) for number in numbers)
            for port, numbers in ports.items()
        },
    )  # fmt: skip


@pytest.fixture
def plan() -> Plan:
    """Etcd, two workers behind it, and a frontend behind them, which `ready` asks."""
    frontend = _replica("frontend", http=(20030,))
    return Plan(
        environment="local", file="/p/environments/local.yaml", directory="/p/environments", project="/p",
        description="",
        services=(
            ServicePlan("etcd", "service", (_replica("etcd", client=(20001,), peer=(20002,)),)),
            ServicePlan(
                "worker", "service",
                tuple(_replica(f"worker.{i}", system=(20010 + i,), kv=(20020, 20021)) for i in range(2)),
                {"etcd": "healthy"},
            ),
            ServicePlan("frontend", "service", (frontend,), {"worker": "healthy"}),
        ),
        ready=(Check("openai", {}, 5.0, "ready[0] (openai)", endpoints=frontend.endpoints["http"]),),
    )  # fmt: skip


@pytest.fixture
def wide_plan() -> Callable[[int], Plan]:
    """An environment of one service with as many replicas as asked for."""

    def make(replicas: int) -> Plan:
        workers = tuple(_replica(f"worker.{i}", http=(20000 + i,)) for i in range(replicas))
        return Plan("wide", "/f", "/", "/", "", (ServicePlan("worker", "service", workers),))

    return make


@pytest.fixture
def long_plan() -> Callable[[int], Plan]:
    """An environment of as many services as asked for, of one replica each."""

    def make(services: int) -> Plan:
        names = [f"service_{i}" for i in range(services)]
        return Plan("long", "/f", "/", "/", "", tuple(ServicePlan(n, "service", (_replica(n),)) for n in names))

    return make


def _start(name: str, moments: tuple[float, float, float, float], last: str = "") -> list[e.Event]:
    starting, spawned, listening, healthy = moments
    return [
        e.ReplicaStarting(at=starting, replica=name, last=last),
        e.ReplicaSpawned(at=spawned, replica=name, pid=4000 + len(name), argv=("x",)),
        e.ReplicaListening(at=listening, replica=name, port="http", number=20001),
        e.ReplicaHealthy(at=healthy, replica=name, seconds=healthy - spawned),
    ]


@pytest.fixture
def events() -> list[e.Event]:
    """The start of `plan`: worker.0 is what everybody waits for, its validator says no once."""
    started: list[e.Event] = [
        e.SessionStarting(
            session="local-k3f9a", environment="local", file="/p/environments/local.yaml", directory="/state/local",
            pid=77, backend="local", time=1000.0,
        ),
        e.ModelFetching(at=0.05, model="chat", source="synthetic"),
        e.ModelReady(at=0.15, model="chat", path="/cache/chat", cached=False, bytes=1_240_000, seconds=0.1),
        *_start("etcd", (0.1, 0.11, 0.3, 0.4)),
        e.ReplicaWaiting(at=0.1, replica="worker.0", waits_for=("etcd healthy",)),
        e.ReplicaWaiting(at=0.1, replica="frontend", waits_for=("worker healthy",)),
        *_start("worker.0", (0.4, 0.41, 2.0, 3.0), last="etcd"),
        e.CheckAnswered(at=2.1, replica="worker.0", check=HTTP_CHECK, passed=False, answer="HTTP 503: wait", tries=1),
        *_start("worker.1", (0.4, 0.42, 1.0, 1.1), last="etcd"),
        *_start("frontend", (3.0, 3.01, 3.5, 3.6), last="worker"),
        e.CheckAnswered(at=4.0, replica="", check="ready[0] (openai)", passed=True, answer="hi", tries=1),
        e.SessionHealthy(at=4.0, seconds=4.0),
    ]  # fmt: skip
    return sorted(started, key=lambda event: event.at)
