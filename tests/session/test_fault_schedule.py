"""Faults as data: the block `faults` of a file."""

from __future__ import annotations

import asyncio

import pytest

from envspec.agent.identity import stat_fields
from envspec.plan import events as e
from envspec.plan.fault import Fault, Moment, Order
from envspec.session.fault_schedule import FaultSchedule
from tests.session.running import Bench, Running, eventually

SERVICES = """
services:
  store: {command: [sleep, "100"]}
  worker: {command: [sh, -c, "touch made; sleep 100"], replicas: 2, depends_on: [store]}
"""


def with_faults(bench: Bench, *faults: str) -> Running:
    return bench.session(SERVICES + "faults:\n" + "".join(f"  - {fault}\n" for fault in faults))


def ordered(session: Running) -> list[tuple[str, str]]:
    return [(event.action, event.replica) for event in session.of(e.FaultOrdered)]


def test_a_fault_of_a_file_comes_when_the_environment_is_healthy(bench: Bench) -> None:
    session = with_faults(bench, "{after: healthy + 50ms, kill: worker.1, signal: TERM}").up()
    exited = session.wait(e.ReplicaExited, replica="worker.1")
    fault = session.wait(e.FaultOrdered)
    assert (exited.signal, exited.ordered) == ("SIGTERM", True)
    assert (fault.action, fault.signal) == ("kill", "TERM")
    assert fault.position.endswith("env.yaml:7:5")
    assert fault.at - session.wait(e.SessionHealthy).at >= 0.049  # less a tick of the clock
    assert session.of(e.ReplicaFailed) == []
    assert session["worker.0"].state == "healthy"


def test_the_first_healthy_replica_is_a_moment_before_the_environment_is_healthy(bench: Bench) -> None:
    session = with_faults(bench, "{after: first_healthy, kill: store}")
    assert "store died of SIGKILL, as ordered" in str(session.fails())
    assert ordered(session) == [("kill", "store")]
    assert session.of(e.ReplicaFailed) == []


def test_a_service_is_healthy_once_all_its_replicas_are(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          worker: {command: [sleep, "100"], replicas: 2, start: ordered}
          last: {command: [sh, -c, "until test -e $BENCH/go; do sleep 0.01; done"], kind: task, depends_on: [worker]}
        faults:
          - {after: last.started, pause: worker.0}
          - {after: worker.healthy, pause: worker.1}
          - {after: last.healthy, resume: worker}
        """
    ).begin()
    session.wait(e.FaultOrdered, action="pause", replica="worker.0")
    session.wait(e.FaultOrdered, action="pause", replica="worker.1")
    bench.touch("go")
    session.wait_count(e.FaultOrdered, 2, action="resume")
    second = session.index(e.ReplicaHealthy, replica="worker.1")
    assert session.index(e.FaultOrdered, replica="worker.1") > second
    session.join()


def test_a_port_that_is_listened_on_is_a_moment(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          web:
            command: [python3, -m, http.server, --bind, 127.0.0.1, "{{ ports.http }}"]
            ports: {http: auto}
            health: [{http: {port: http, path: /}}]
            restart: {on: failure}
        faults: [{after: web.listening, kill: web}]
        """
    ).up()
    eventually(lambda: session["web"].starts == 2)
    assert ordered(session) == [("kill", "web")]


def test_what_lasts_for_a_time_is_undone(bench: Bench) -> None:
    session = with_faults(
        bench,
        "{after: healthy, pause: worker.0, for: 50ms}",
        "{after: healthy, stop: worker.1, for: 50ms, wipe: true}",
    ).up()
    session.wait(e.FaultOrdered, action="resume", replica="worker.0")
    session.wait(e.FaultOrdered, action="start", replica="worker.1")
    session.wait(e.SessionRecovered)
    assert {"pause", "resume", "stop", "start"} == {action for action, _ in ordered(session)}
    eventually(lambda: stat_fields(session["worker.0"].pid or 0)[0] != "T")
    assert session["worker.1"].state == "healthy"


def test_a_fault_that_cannot_be_done_is_warned_of_and_harms_nothing(bench: Bench) -> None:
    session = with_faults(
        bench, "{after: healthy, restart: worker.0}", "{after: healthy, kill_child: store, child: x}"
    ).up()
    warned = session.wait(e.Warned)
    assert warned.message.startswith("faults[1] (kill_child store) could not be done: no process below store has 'x'")
    assert session.background.status().state == "healthy"


def test_a_session_that_stops_does_not_bring_back_what_a_fault_took_down(bench: Bench) -> None:
    session = with_faults(bench, "{after: healthy, stop: worker.1, for: 1h}", "{after: healthy + 1h, kill: store}").up()
    session.wait(e.ReplicaStopped, replica="worker.1")
    session.stop()
    assert ordered(session) == [("stop", "worker.1")]
    assert session.of(e.Warned) == []


def test_what_lasts_is_undone_by_the_end_of_a_schedule_and_not_by_that_of_its_session() -> None:
    async def orders(*, stopping: bool) -> list[str]:
        done: list[str] = []
        news = asyncio.Event()

        async def do(order: Order, _fault: Fault) -> None:
            done.append(str(order))
            news.set()

        fault = Fault(Moment("healthy"), Order("stop", "store"), lasts=3600.0)
        schedule = FaultSchedule([fault], {"store": ["store"]}, do, lambda _fault, _error: None)
        schedule.hear(e.SessionHealthy(seconds=1.0))
        await news.wait()
        if stopping:
            schedule.hear(e.SessionStopping(reason="the test wants it"))
        assert await schedule.leave() == []
        return done

    assert asyncio.run(orders(stopping=False)) == ["stop store", "start store"]
    assert asyncio.run(orders(stopping=True)) == ["stop store"]


@pytest.mark.parametrize("enabled", ["true", "false"])
def test_a_fault_of_a_disabled_service_is_left_out(bench: Bench, enabled: str) -> None:
    session = bench.session(
        f"""
        services:
          store: {{command: [sleep, "100"]}}
          cache: {{command: [sleep, "100"], enabled: {enabled}}}
        faults: [{{after: store.healthy, pause: cache}}]
        """
    ).up()
    assert len(session.background.session.plan.faults) == (enabled == "true")
