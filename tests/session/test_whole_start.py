"""An environment is healthy when all of it is so at once, whatever is ordered or crashes while it starts."""

from __future__ import annotations

import os
import signal
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from envspec.errors import EnvspecError, ServiceStartError, StoppedError
from envspec.plan import events as e
from tests.session.running import Bench, Running, eventually

TWO = """
services:
  other:
    command: [sh, -c, "test -e once && until test -e $BENCH/again; do sleep 0.01; done; touch once; echo up; sleep 100"]
    health: [{log: {match: up}}]
    restart: {on: failure, max: 5}
    start_timeout: 20s
  slow:
    command: [sh, -c, "until test -e $BENCH/go; do sleep 0.01; done; echo up; sleep 100"]
    health: [{log: {match: up}}]
"""


def in_background(session: Running, action: str, target: str) -> Future[None]:
    pool = ThreadPoolExecutor(1)
    done = pool.submit(session.background.fault, action, target)
    pool.shutdown(wait=False)
    return done


def let_slow_up_then_other(bench: Bench, session: Running) -> None:
    """Let `slow` be healthy while `other` is starting again, and only then `other`."""
    session.wait(e.ReplicaSpawned, replica="other", pid=session["other"].pid)
    bench.touch("go")
    session.wait(e.ReplicaHealthy, replica="slow")
    assert session.background.status().state == "starting"
    bench.touch("again")
    session.join()
    assert session.error is None
    assert session.background.status().state == "healthy"
    again = session.of(e.ReplicaHealthy, replica="other")[1]
    assert session.index(e.SessionHealthy) > session.events.index(again)


def test_a_crash_during_the_start_is_waited_for(bench: Bench) -> None:
    session = bench.session(TWO).begin()
    session.wait(e.ReplicaHealthy, replica="other")
    os.kill(session["other"].pid or 0, signal.SIGKILL)
    session.wait_count(e.ReplicaSpawned, 2, replica="other")
    let_slow_up_then_other(bench, session)


def test_a_restart_that_is_ordered_during_the_start_is_waited_for(bench: Bench) -> None:
    session = bench.session(TWO).begin()
    session.wait(e.ReplicaHealthy, replica="other")
    restart = in_background(session, "restart", "other")
    session.wait_count(e.ReplicaSpawned, 2, replica="other")
    let_slow_up_then_other(bench, session)
    restart.result(20)


def test_what_is_stopped_and_started_during_the_start_is_waited_for(bench: Bench) -> None:
    session = bench.session(TWO).begin()
    session.wait(e.ReplicaHealthy, replica="other")
    session.background.fault("stop", "other")
    start = in_background(session, "start", "other")
    session.wait_count(e.ReplicaSpawned, 2, replica="other")
    let_slow_up_then_other(bench, session)
    start.result(20)


def test_what_is_stopped_during_the_start_and_not_started_again_fails_it(bench: Bench) -> None:
    session = bench.session(TWO.replace("20s", "300ms")).begin()
    session.wait(e.ReplicaHealthy, replica="other")
    session.background.fault("stop", "other")
    session.join()
    assert isinstance(session.error, ServiceStartError)
    assert str(session.error).startswith("other was stopped on request, and not started again within")
    assert session.error.service == "other"


def test_whoever_waits_for_a_start_hears_that_it_was_stopped(bench: Bench) -> None:
    session = bench.session(TWO)
    bench.touch("go")
    session.up()
    restart = in_background(session, "restart", "other")
    session.wait_count(e.ReplicaSpawned, 2, replica="other")
    session.background.fault("stop", "other")
    with pytest.raises(ServiceStartError, match="other was stopped on request before it was healthy"):
        restart.result(20)


def test_a_start_that_hangs_can_be_killed(bench: Bench) -> None:
    session = bench.session(TWO.replace("on: failure, max: 5", "on: never"))
    bench.touch("go")
    session.up()
    restart = in_background(session, "restart", "other")
    session.wait_count(e.ReplicaSpawned, 2, replica="other")
    session.background.fault("kill", "other")
    with pytest.raises(EnvspecError, match="other died of SIGKILL"):
        restart.result(20)


def test_a_restart_of_what_still_waits_lets_it_wait(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          first: {kind: task, command: [sh, -c, "until test -e $BENCH/go; do sleep 0.01; done"]}
          second: {command: [sleep, "100"], depends_on: [first]}
        """
    ).begin()
    session.wait(e.ReplicaSpawned, replica="first")
    restart = in_background(session, "restart", "second")
    session.wait_count(e.ReplicaWaiting, 2, replica="second")
    bench.touch("go")
    session.join()
    restart.result(20)
    assert session.index(e.ReplicaStarting, replica="second") > session.index(e.ReplicaSucceeded, replica="first")
    assert session["second"].starts == 1


def test_a_restart_whose_session_is_stopped_starts_nothing_anew(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          mule:
            command: [sh, -c, "trap '' TERM; echo up; while :; do sleep 0.02; done"]
            health: [{log: {match: up}}]
            stop: {timeout: 500ms}
        """
    ).up()
    restart = in_background(session, "restart", "mule")
    session.wait(e.ReplicaStopping, replica="mule")
    session.stop()
    with pytest.raises(StoppedError, match="the session was stopped before this was done: restart mule"):
        restart.result(20)
    assert session["mule"].starts == 1
    assert session.of(e.ReplicaFailed) == []
    eventually(lambda: session.background.status().state == "stopped")
