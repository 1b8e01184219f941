"""Waiting until a service is healthy, or has ended."""

from __future__ import annotations

import math

import pytest

from envspec.errors import ServiceWaitError, UsageError
from envspec.plan import events as e
from envspec.session.live import Environment
from tests.session.faulty import SERVICES
from tests.session.running import Bench, Running, is_gone


@pytest.fixture
def session(bench: Bench) -> Running:
    return bench.session(SERVICES).up()


def test_what_a_session_that_is_over_does_not_become_is_said_at_once(session: Running) -> None:
    other = Environment(session.background)["other"]
    session.stop()
    with pytest.raises(ServiceWaitError, match=r"other did not become healthy, for its session is over: other is"):
        other.wait_healthy(timeout=math.inf)


def test_an_exit_is_awaited_and_told(live: Environment) -> None:
    live["other"].kill("TERM")
    assert live["other"].wait_exited(timeout=20) == "SIGTERM"
    assert live["other"].wait_exited(timeout=20) == "SIGTERM"
    live["other"].start()
    live["other"].kill()
    assert live["other"].wait_exited(timeout=0) == "SIGKILL"


def test_waiting_in_vain_says_the_state_and_the_last_answer(live: Environment) -> None:
    with pytest.raises(ServiceWaitError, match=r"other did not exit within 10 ms: other is healthy\n") as caught:
        live["other"].wait_exited(timeout=0.01)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.service == "other"
    in_vain = pytest.raises(ServiceWaitError, match=r"store did not become healthy .*: store is healthy and paused\n")
    with live["store"].paused() as store, in_vain:
        store.wait_healthy(timeout=0.01)
    live["other"].kill()
    with pytest.raises(ServiceWaitError, match=r"other is exited \(SIGKILL\)"):
        live["other"].wait_healthy(timeout=0.01)


def test_a_service_that_restarts_by_itself_is_awaited(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          web:
            command: [sleep, "100"]
            replicas: 2
            health: [{exec: {command: [sh, -c, "test ! -e $BENCH/broken"]}}]
            restart: {on: failure}
        """
    ).up()
    web = Environment(session.background)["web"]
    before = [replica.pid for replica in web.replicas]
    bench.touch("broken")
    web.kill()
    session.wait_count(e.ReplicaSpawned, 4)
    assert [replica.wait_exited(timeout=20) for replica in web.replicas] == ["SIGKILL", "SIGKILL"]
    session.wait_count(e.CheckAnswered, 2, passed=False)
    with pytest.raises(ServiceWaitError, match=r"web.0 is starting \(.*exec.* says: .*exit"):
        web.wait_healthy(timeout=0.01)
    (bench.path / "broken").unlink()
    web.wait_healthy(timeout=20)
    assert all(map(is_gone, filter(None, before)))
    assert {replica.state for replica in web.replicas} == {"healthy"}
    with pytest.raises(UsageError, match="web has 2 replicas"):
        web.wait_exited()


PAUSED = """
services:
  web:
    command: [sleep, "100"]
    health: [{exec: {command: [sh, -c, "test ! -e $BENCH/silent"]}}]
    liveness: {every: 20ms, failures: 2}
"""


@pytest.mark.parametrize("what", ["paused", "hanging"])
def test_a_paused_service_that_fails_its_liveness_has_not_crashed(bench: Bench, what: str) -> None:
    session = bench.session(PAUSED).up()
    if what == "paused":
        session.background.fault("pause", "web")
    bench.touch("silent")
    unhealthy = session.wait(e.ReplicaUnhealthy)
    session.wait(e.SessionDegraded)
    assert unhealthy.ordered is (what == "paused")
    assert bool(session.of(e.ReplicaFailed)) is (what == "hanging")
