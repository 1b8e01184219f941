"""Faults by hand: kill, pause, resume, restart, stop, start."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from envspec.agent import tree
from envspec.agent.identity import stat_fields
from envspec.errors import ServiceError, UsageError
from envspec.plan import events as e
from envspec.session.endpoint_faults import all_of
from tests.session.running import Bench, Running, eventually, is_gone

WORKERS = """
services:
  store: {command: [sleep, "100"]}
  worker:
    command: [sh, -c, "trap 'echo hup' HUP; while :; do sleep 0.02; done"]
    replicas: 2
    depends_on: [store]
"""


@pytest.fixture
def session(bench: Bench) -> Running:
    return bench.session(WORKERS).up()


def test_a_killed_service_is_told_as_ordered_and_the_environment_is_degraded(session: Running) -> None:
    pid = session["worker.1"].pid
    session.background.fault("kill", "worker.1")
    killed = session["worker.1"]
    assert (killed.state, killed.signal, killed.pid) == ("exited", "SIGKILL", None)
    assert is_gone(pid or 0)
    assert session.of(e.ReplicaExited)[0].expected
    assert session.of(e.FaultOrdered) != []
    assert session.of(e.ReplicaFailed) == []
    assert session.background.status().state == "degraded"
    assert "worker.1 died of SIGKILL, as ordered" in session.background.status().message
    assert session["worker.0"].state == "healthy"


def test_a_service_that_was_killed_can_be_started_and_all_is_well_again(session: Running) -> None:
    session.background.fault("kill", "worker.1")
    session.background.fault("start", "worker.1")
    assert session["worker.1"].state == "healthy"
    assert session.background.status().state == "healthy"
    assert len(session.of(e.SessionRecovered)) == 1


def test_a_name_of_a_service_means_all_of_its_replicas(session: Running) -> None:
    session.background.fault("kill", "worker")
    assert {session["worker.0"].state, session["worker.1"].state} == {"exited"}
    session.background.fault("start", "worker.0")
    assert session.background.status().state == "degraded"
    session.background.fault("start", "worker.1")
    assert session.background.status().state == "healthy"


def test_other_signals_are_sent_and_nothing_is_made_of_them(session: Running) -> None:
    session.background.fault("kill", "worker.0", "HUP")
    eventually(lambda: session.log("worker.0") == "hup\n")
    assert session["worker.0"].state == "healthy"


def test_a_paused_service_stands_still_until_it_is_resumed(session: Running) -> None:
    pid = session["worker.0"].pid or 0
    session.background.fault("pause", "worker.0")
    assert session["worker.0"].paused
    # D: its shell was within vfork(2), and waits for a child that stands still before its exec.
    assert stat_fields(pid)[0] in ("T", "D")
    session.background.fault("resume", "worker.0")
    eventually(lambda: stat_fields(pid)[0] not in ("T", "D"))
    assert not session["worker.0"].paused


def test_a_restart_returns_when_the_service_is_healthy_again(session: Running) -> None:
    before = session["worker.0"].pid
    session.background.fault("restart", "worker.0")
    after = session["worker.0"]
    assert (after.state, after.starts) == ("healthy", 2)
    assert after.pid != before
    assert session.background.status().state == "healthy"
    assert session["worker.1"].starts == 1


def test_a_stopped_service_stays_down_and_degrades_the_environment(session: Running) -> None:
    session.background.fault("stop", "store")
    assert session["store"].state == "stopped"
    assert session.background.status().message == "store was stopped on request"
    session.background.fault("start", "store")
    assert session.background.status().state == "healthy"


def test_a_restart_that_fails_is_told_and_leaves_the_rest_alone(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          web:
            command: [sleep, "100"]
            health: [{exec: {command: [sh, -c, "test ! -e $BENCH/broken"]}}]
            start_timeout: 300ms
          other: {command: [sleep, "100"]}
        """
    ).up()
    bench.touch("broken")
    with pytest.raises(ServiceError, match="web did not become healthy within its start_timeout"):
        session.background.fault("restart", "web")
    assert session["web"].state == "failed"
    assert session.background.status().state == "degraded"
    (bench.path / "broken").unlink()
    session.background.fault("restart", "web")
    assert session.background.status().state == "healthy"


def test_what_cannot_be_done_says_why(session: Running) -> None:
    with pytest.raises(UsageError, match="no service 'wroker'") as caught:
        session.background.fault("kill", "wroker")
    assert caught.value.hint == "it has: store, worker"
    with pytest.raises(UsageError, match="no fault 'tickle'"):
        session.background.fault("tickle", "worker")
    with pytest.raises(UsageError, match=r"worker\.0 runs already"):
        session.background.fault("start", "worker.0")
    with pytest.raises(UsageError, match="no signal 'FOO'"):
        session.background.fault("kill", "worker.0", "FOO")
    session.background.fault("stop", "worker.0")
    for action in ("kill", "pause", "resume", "stop"):
        with pytest.raises(UsageError, match=r"worker\.0 does not run"):
            session.background.fault(action, "worker.0")
    session.background.fault("start", "worker.0")
    status = session.background.status().services["worker.0"]
    assert (status.state, status.paused) == ("healthy", False)


@pytest.mark.parametrize("written", ["18", "cont", "CONT", "SIGCONT", "sigcont"])
def test_a_signal_is_written_as_people_write_it(session: Running, written: str) -> None:
    session.background.fault("kill", "worker.0", written)
    assert session.of(e.FaultOrdered)[-1].signal == "CONT"


def test_a_paused_service_that_is_restarted_is_not_paused(session: Running) -> None:
    session.background.fault("pause", "worker.0")
    session.background.fault("restart", "worker.0")

    assert session.background.status().services["worker.0"].paused is False


def test_an_attached_service_is_left_alone(bench: Bench) -> None:
    attached = bench.session(
        "services: {web: {attach: {url: 'http://127.0.0.1:9'}, ports: {http: auto}}}", "attached"
    ).up()
    with pytest.raises(UsageError, match="web is attached"):
        attached.background.fault("kill", "web")


def test_nothing_can_be_done_to_a_session_that_is_over(session: Running) -> None:
    session.stop()
    with pytest.raises(UsageError, match="is over"):
        session.background.fault("kill", "store")


def test_a_service_that_died_by_a_strangers_hand_is_a_surprise(session: Running) -> None:
    os.kill(session["store"].pid or 0, signal.SIGKILL)
    failed = session.wait(e.ReplicaFailed, replica="store")
    assert failed.message.startswith("store died of SIGKILL, sender unknown,")
    assert not session.of(e.ReplicaExited)[0].expected
    assert Path(session["store"].log).exists()


@pytest.mark.parametrize("action", ["kill", "pause", "stop"])
def test_what_is_refused_for_one_replica_is_done_to_none(session: Running, action: str) -> None:
    session.background.fault("stop", "worker.0")
    before = (session["worker.1"].pid, len(session.of(e.FaultOrdered)))
    with pytest.raises(UsageError, match=r"worker\.0 does not run"):
        session.background.fault(action, "worker")
    session.background.fault("resume", "worker.1")  # comes behind all that is still under way
    now = session["worker.1"]
    assert (now.pid, len(session.of(e.FaultOrdered)) - 1, now.state) == (*before, "healthy")


def test_of_several_things_the_failure_is_told_when_all_are_done() -> None:
    done: list[str] = []

    async def fails() -> None:
        raise UsageError("no")

    async def takes_a_while() -> None:
        for _ in range(10):
            await asyncio.sleep(0)
        done.append("it")

    async def both() -> None:
        with pytest.raises(UsageError, match="no"):
            await all_of([fails(), takes_a_while()])
        assert done == ["it"]

    asyncio.run(both())


@pytest.mark.parametrize("again", ["CONT", "resume"])
def test_a_service_that_was_sent_sigstop_is_paused_until_it_goes_on(session: Running, again: str) -> None:
    session.background.fault("kill", "worker.0", "SIGSTOP")
    assert (session["worker.0"].paused, session["worker.0"].killed_at) == (True, None)
    assert not session["worker.1"].paused
    if again == "CONT":
        session.background.fault("kill", "worker.0", again)
    else:
        session.background.fault(again, "worker.0")
    assert not session["worker.0"].paused
    eventually(lambda: stat_fields(session["worker.0"].pid or 0)[0] != "T")


def test_what_a_pause_has_stopped_goes_on_as_a_whole_by_sigcont(bench: Bench) -> None:
    session = bench.session("services: {web: {command: [sh, -c, 'sleep 1001 & wait']}}").up()
    eventually(lambda: bool(tree.descendants(session["web"].pid or 0)), "a child")
    pids = tree.descendants(session["web"].pid or 0)
    session.background.fault("pause", "web")
    session.background.fault("kill", "web", "CONT")
    assert not session["web"].paused
    eventually(lambda: all(stat_fields(pid)[0] != "T" for pid in pids))
