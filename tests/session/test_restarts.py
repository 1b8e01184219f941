"""What is started again, and what is not."""

from __future__ import annotations

import os
import signal
import time

import pytest

from envspec.errors import ServiceExitedError, ServiceNotReadyError
from envspec.plan import events as e
from envspec.plan.plan import Restart
from envspec.session.restarts import FIRST_PAUSE, GOOD_LIFE, LONGEST_PAUSE, Restarts
from tests.session.running import Bench, eventually, is_gone

MORTAL = """
services:
  mortal:
    command: [python, -c, "import sys, time; print('start on {{ ports.http }}', flush=True); time.sleep(100)"]
    ports: {http: auto}
    health: [{log: {match: start on}}]
    restart: {on: failure, max: 1}
  dependent: {command: [sleep, "100"], depends_on: [mortal]}
"""


def test_a_restart_keeps_ports_and_directory_and_leaves_dependents_alone(bench: Bench) -> None:
    session = bench.session(MORTAL).up()
    before = session["mortal"]
    session.background.fault("kill", "mortal")
    session.wait_count(e.ReplicaHealthy, 2, replica="mortal")
    after = session["mortal"]
    assert (after.state, after.starts) == ("healthy", 2)
    assert after.pid != before.pid
    assert after.ports == before.ports
    assert session.log("mortal") == f"start on {before.ports['http']}\n" * 2
    assert session["dependent"].starts == 1
    assert session.background.status().state == "healthy"
    assert session.of(e.SessionDegraded) == []


def test_restarts_are_bounded_for_the_whole_session(bench: Bench) -> None:
    session = bench.session(MORTAL).up()
    session.background.fault("kill", "mortal")
    session.wait_count(e.ReplicaHealthy, 2, replica="mortal")
    session.background.fault("kill", "mortal")
    session.wait(e.SessionDegraded, replica="mortal")
    assert session["mortal"].starts == 2
    assert session["mortal"].state == "exited"


def test_an_exit_says_whether_a_new_start_follows(bench: Bench) -> None:
    session = bench.session(MORTAL).up()
    os.kill(session["mortal"].pid or 0, signal.SIGKILL)
    session.wait_count(e.ReplicaHealthy, 2, replica="mortal")
    os.kill(session["mortal"].pid or 0, signal.SIGKILL)
    session.wait(e.SessionDegraded, replica="mortal")
    assert [(ended.restarts, ended.ordered) for ended in session.of(e.ReplicaExited)] == [(True, False), (False, False)]


def test_a_stop_that_was_ordered_says_that_no_start_follows(bench: Bench) -> None:
    session = bench.session(MORTAL).up()
    session.background.fault("stop", "mortal")
    assert [(ended.restarts, ended.ordered) for ended in session.of(e.ReplicaExited)] == [(False, True)]


def test_a_service_that_crashes_at_first_may_come_up_by_a_restart(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          shaky:
            command: [sh, -c, "test -e tried || { touch tried; exit 1; }; exec sleep 100"]
            health: [{exec: {command: [test, -e, tried]}}, {exec: {command: [sh, -c, "sleep 0.2"]}}]
            restart: {on: failure, max: 3}
          front: {command: [sleep, "100"], depends_on: [shaky]}
        """
    ).up()
    assert session["shaky"].starts == 2
    assert session.of(e.ReplicaFailed) == []


def test_when_restarts_run_out_the_error_counts_them(bench: Bench) -> None:
    error = bench.session(
        """
        services:
          crash: {command: [sh, -c, "exit 1"], health: [{exec: {command: ["false"]}}], restart: {on: failure, max: 2}}
        """
    ).fails()
    assert isinstance(error, ServiceExitedError)
    assert "restarts 2 before this one" in str(error)
    assert error.details["restarts"] == 2


def test_without_a_bound_a_start_that_always_crashes_ends_with_its_patience(bench: Bench) -> None:
    error = bench.session(
        """
        services:
          crash:
            command: [sh, -c, "exit 1"]
            health: [{exec: {command: ["false"]}}]
            restart: {on: failure}
            start_timeout: 500ms
        """
    ).fails()
    assert isinstance(error, ServiceExitedError)
    restarts = error.details["restarts"]
    assert isinstance(restarts, int)
    assert restarts >= 2


def test_patience_with_crashes_begins_when_a_service_may_start(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          slow: {kind: task, command: [sleep, "1"]}
          shaky:
            command: [sh, -c, "test -e tried || { touch tried; exit 1; }; exec sleep 100"]
            health: [{exec: {command: [test, -e, tried]}}, {exec: {command: [sh, -c, "sleep 0.2"]}}]
            restart: {on: failure}
            start_timeout: 900ms
            depends_on: [slow]
        """
    ).up()
    assert session["shaky"].starts == 2


def test_a_restart_that_a_user_orders_has_patience_of_its_own(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          shaky:
            command: [sh, -c, "test -e $BENCH/ill && { rm $BENCH/ill; exit 1; }; exec sleep 100"]
            health: [{exec: {command: [sh, -c, "sleep 0.2; test ! -e $BENCH/ill"]}}]
            restart: {on: failure}
            start_timeout: 900ms
        """
    ).up()
    healthy = session.wait(e.ReplicaHealthy)
    eventually(lambda: time.time() > healthy.time + 1, "the end of the first start_timeout")
    bench.touch("ill")
    session.background.fault("restart", "shaky")
    assert (session["shaky"].state, session["shaky"].starts) == ("healthy", 3)


FLOP = """
services:
  flop: {{kind: task, command: [sh, -c, "echo x >> tries; test $(wc -l < tries) -gt {crashes}"], restart: {restart}}}
  after: {{command: [sleep, "100"], depends_on: {{flop: exited}}}}
"""


@pytest.mark.parametrize(("crashes", "state"), [(1, "succeeded"), (9, "exited")])
def test_a_task_has_exited_once_its_restarts_have_brought_what_they_can(bench: Bench, crashes: int, state: str) -> None:
    session = bench.session(FLOP.format(crashes=crashes, restart="{on: failure, max: 2}")).up()
    assert (session["flop"].state, session["flop"].starts) == (state, min(crashes, 2) + 1)
    exits = session.of(e.ReplicaExited, replica="flop")
    assert [ended.restarts for ended in exits] == [True] * min(crashes, 2) + [False]
    assert session.events.index(exits[-1]) < session.index(e.ReplicaStarting, replica="after")
    assert session.of(e.ReplicaFailed) == []


def test_a_task_without_restarts_has_exited_when_it_ends_badly(bench: Bench) -> None:
    session = bench.session(FLOP.format(crashes=9, restart="{on: never}")).up()
    assert (session["flop"].state, session["flop"].starts) == ("exited", 1)


def test_failed_liveness_counts_as_an_exit(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          web:
            command: [sleep, "100"]
            health: [{exec: {command: [sh, -c, "test ! -e $BENCH/sick || { rm $BENCH/sick; exit 1; }"]}}]
            liveness: {every: 50ms, failures: 1}
            restart: {on: failure, max: 1}
        """
    ).up()
    first = session["web"].pid
    assert first is not None
    bench.touch("sick")
    session.wait(e.ReplicaUnhealthy, replica="web")
    session.wait_count(e.ReplicaHealthy, 2, replica="web")
    assert is_gone(first)
    assert session["web"].state == "healthy"
    assert session.of(e.SessionDegraded) == []


def test_liveness_that_fails_without_restart_stops_the_service_and_loses_it(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          web:
            command: [sh, -c, "trap 'echo parted; exit 0' INT; while :; do sleep 0.02; done"]
            health: [{exec: {command: [sh, -c, "test ! -e $BENCH/sick || { echo I feel ill; exit 1; }"]}}]
            liveness: {every: 50ms, failures: 3}
            stop: {signal: INT, timeout: 5s}
        """
    ).up()
    pid = session["web"].pid or 0
    bench.touch("sick")
    failed = session.wait(e.ReplicaFailed, replica="web")
    assert failed.message.startswith("web was healthy, but answers no more: services.web.health[0] (exec) failed")
    assert f"services.web.health[0] (exec), {bench.path}/env.yaml:6:14\n" in failed.message
    assert "not passed in 3 tries within " in failed.message
    assert "I feel ill" in failed.message
    session.wait(e.SessionDegraded)
    assert is_gone(pid)
    assert "parted" in session.log("web")
    assert (session["web"].state, session["web"].pid, session["web"].exit_code) == ("failed", None, 0)
    order = [e.ReplicaUnhealthy, e.ReplicaStopping, e.ReplicaExited, e.ReplicaStopped, e.ReplicaFailed]
    assert sorted(order, key=session.index) == order


def test_a_running_service_whose_restarts_are_used_up_is_told_so(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          crash:
            command: [sh, -c, "while ! test -e $BENCH/die; do sleep 0.02; done"]
            restart: {on: failure, max: 2}
        """
    ).up()
    bench.touch("die")
    degraded = session.wait(e.SessionDegraded, replica="crash")
    assert degraded.message.startswith("crash exited with code 0 ")
    assert degraded.message.endswith("and its restarts ran out (2 of 2)")


def _error(*, ready: bool = True) -> ServiceExitedError | ServiceNotReadyError:
    return (ServiceExitedError if ready else ServiceNotReadyError)("it failed", service="web")


@pytest.mark.parametrize(("on", "granted"), [("never", False), ("failure", True), ("always", True)])
def test_the_policy_decides(on: str, granted: bool) -> None:  # noqa: FBT001
    policy = Restart(on=on, max=1)  # type: ignore[arg-type]
    restarts = Restarts(policy, patience=60)
    assert restarts.grants(_error(), was_healthy=True) is granted
    assert restarts.grants(_error(), was_healthy=True) is False
    assert Restarts(policy, patience=60).grants(_error(ready=False), was_healthy=False) is False


def test_pauses_grow_for_what_dies_at_once_and_begin_anew_after_a_good_life() -> None:
    restarts = Restarts(Restart(on="always"), patience=60)
    pauses = [restarts.pause(lived=0.0) for _ in range(12)]
    assert pauses[:4] == [0.0, FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE
    assert restarts.pause(lived=GOOD_LIFE) == 0.0
    assert restarts.pause(lived=0.0) == FIRST_PAUSE
