"""Taking an environment down, at any moment and in the right order."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from pathlib import Path

import pytest

from envspec.backends import local
from envspec.errors import StoppedError, UsageError
from envspec.plan import events as e
from envspec.session import replica
from envspec.session.outcome import takes_no_orders
from envspec.session.request import Request
from envspec.session.session import Session
from tests.hydra import ENVIRONMENT, heads_in
from tests.session.running import Bench, Running, eventually, is_gone

DIAMOND = """
services:
  store: {command: [sleep, "100"]}
  left: {command: [sleep, "100"], depends_on: [store]}
  right: {command: [sh, -c, "trap 'exec sleep 0.3' TERM; sleep 100 & wait"], depends_on: [store]}
  front: {command: [sleep, "100"], depends_on: [left, right]}
"""
STUBBORN = """
services:
  mule:
    command: [sh, -c, "trap '' TERM; echo up; while :; do sleep 0.02; done"]
    health: [{log: {match: up}}]
    stop: {timeout: 60s}
"""


def test_what_others_depend_on_stops_after_them(bench: Bench) -> None:
    session = bench.session(DIAMOND).up()
    session.stop()
    ended = {event.replica: session.events.index(event) for event in session.of(e.ReplicaStopped)}
    asked = {event.replica: session.events.index(event) for event in session.of(e.ReplicaStopping)}
    assert ended["front"] < min(asked["left"], asked["right"])
    assert max(ended["left"], ended["right"]) < asked["store"]
    assert max(asked["left"], asked["right"]) < min(ended["left"], ended["right"]), "siblings stop side by side"


def test_everything_is_stopped_and_told_when_stop_returns(bench: Bench) -> None:
    session = bench.session(DIAMOND).up()
    pids = [event.pid for event in session.of(e.ReplicaSpawned)]
    session.stop()
    assert all(map(is_gone, pids))
    assert {replica.state for replica in session.background.status().services.values()} == {"stopped"}
    assert session.background.status().state == "stopped"
    assert isinstance(session.events[-1], e.SessionStopped)
    assert all(event.expected for event in session.of(e.ReplicaExited))


def test_the_declared_signal_is_sent_and_grace_kept(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          polite:
            command: [sh, -c, "trap 'echo bye; exit 0' INT; echo up; while :; do sleep 0.02; done"]
            health: [{log: {match: up}}]
            stop: {signal: INT, timeout: 60s}
          deaf:
            command: [sh, -c, "trap '' TERM; echo up; while :; do sleep 0.02; done"]
            health: [{log: {match: up}}]
            stop: {timeout: 200ms}
        """
    ).up()
    log = Path(session["polite"].log)
    session.stop()
    killed = {event.replica: event.killed for event in session.of(e.ReplicaStopped)}
    assert killed == {"polite": False, "deaf": True}
    assert session.of(e.ReplicaStopping, replica="polite")[0].signal == "SIGINT"
    assert log.read_text().endswith("bye\n")
    assert session.of(e.ReplicaExited, replica="deaf")[0].signal == "SIGKILL"


def test_stopping_twice_is_stopping_once(bench: Bench) -> None:
    session = bench.session(DIAMOND).up()
    threads = [threading.Thread(target=session.background.stop) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session.background.stop()
    assert len(session.of(e.SessionStopping)) == 1


def test_an_order_to_a_session_that_is_stopping_is_refused_in_words(bench: Bench) -> None:
    session = bench.session(STUBBORN).up()
    end = threading.Thread(target=session.stop)
    end.start()
    pid = session["mule"].pid or 0
    session.wait(e.ReplicaStopping, replica="mule")
    with pytest.raises(UsageError) as caught:
        session.background.fault("kill", "mule")
    name = session.background.status().id
    assert str(caught.value) == f"the session {name} is stopping: whatever still runs in it is being ended"
    os.kill(pid, signal.SIGKILL)
    end.join()
    over = takes_no_orders(session.background.status(), ending=True)
    assert str(over) == f"the session {name} is stopped: nothing runs in it any more"


def test_a_stop_during_the_start_ends_both(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          ready: {command: [sleep, "100"]}
          never: {command: [sleep, "100"], health: [{exec: {command: ["false"]}}]}
          waiting: {command: [sleep, "100"], depends_on: [never]}
        """
    ).begin()
    session.wait(e.ReplicaSpawned, replica="never")
    session.wait(e.ReplicaHealthy, replica="ready")
    session.background.stop("somebody changed their mind")
    session.join()
    assert isinstance(session.error, StoppedError)
    assert session.starts() == ["ready", "never"]
    assert all(is_gone(event.pid) for event in session.of(e.ReplicaSpawned))
    assert session.of(e.SessionStopping)[0].reason == "somebody changed their mind"
    assert session.of(e.SessionFailed) == []


@pytest.mark.parametrize("moment", [e.SessionStarting, e.PortsLeased, e.ReplicaStarting, e.ReplicaSpawned])
def test_a_start_that_is_cancelled_leaves_nothing(bench: Bench, moment: type[e.Event]) -> None:
    events: list[e.Event] = []

    async def scenario(request: Request) -> None:
        session = Session(request)
        there = asyncio.Event()
        session.subscribe(events.append)
        session.subscribe(lambda event: there.set() if isinstance(event, moment) else None)
        start = asyncio.create_task(session.start())
        await there.wait()
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start
        await session.stop("again")

    asyncio.run(scenario(bench.request(DIAMOND)))
    assert isinstance(events[-1], e.SessionStopped)
    assert all(is_gone(event.pid) for event in events if isinstance(event, e.ReplicaSpawned))


def test_force_does_not_wait_for_grace(bench: Bench) -> None:
    session = bench.session(STUBBORN).up()
    stop = threading.Thread(target=session.background.stop)
    stop.start()
    session.wait(e.ReplicaStopping)
    session.background.stop("now", force=True)
    stop.join()
    assert is_gone(session.of(e.ReplicaSpawned)[0].pid)
    assert session.background.status().state == "stopped"


def test_descendants_that_daemonise_are_stopped_with_their_service(bench: Bench) -> None:
    session = bench.session(ENVIRONMENT).up()
    heads = heads_in(session.log("hydra"))
    assert len(heads) == 3
    assert not any(map(is_gone, heads))
    session.stop()
    assert all(map(is_gone, heads))


def test_a_paused_service_can_be_stopped(bench: Bench) -> None:
    session = bench.session("services: {web: {command: [sleep, '100']}}").up()
    session.background.fault("pause", "web")
    session.stop()
    assert session.of(e.ReplicaStopped)[0].killed is False


def test_what_runs_is_kept_after_a_failure_where_that_was_asked_for(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          good: {command: [sleep, "100"]}
          bad: {command: [sh, -c, "exit 3"], depends_on: [good], health: [{exec: {command: ["false"]}}]}
        """,
        keep_on_failure=True,
    )
    session.fails()
    assert session.background.status().state == "failed"
    assert not is_gone(session.of(e.ReplicaSpawned, replica="good")[0].pid)
    assert session.log("bad") == ""
    session.stop()
    assert is_gone(session.of(e.ReplicaSpawned, replica="good")[0].pid)


def test_a_session_whose_agent_is_killed_ends_with_all_it_ran(bench: Bench) -> None:
    session = bench.session(DIAMOND).up()
    os.kill(_agent(session), signal.SIGKILL)
    failed = session.wait(e.SessionFailed)
    assert failed.error == "AgentLostError"
    assert failed.hint.endswith(f"{session.background.status().dir}/agent.log")
    assert not session.of(e.ReplicaStopping), "there is nobody who would send a signal"
    assert all(is_gone(event.pid) for event in session.of(e.ReplicaSpawned))
    eventually(lambda: session.background.status().state == "failed")


def test_an_agent_killed_during_the_start_fails_the_start(bench: Bench) -> None:
    session = bench.session(
        "services: {never: {command: [sleep, '100'], health: [{exec: {command: ['false']}}]}}"
    ).begin()
    pid = session.wait(e.ReplicaSpawned).pid
    os.kill(_agent(session), signal.SIGKILL)
    session.join()
    assert type(session.error).__name__ == "AgentLostError"
    assert is_gone(pid)


def test_an_agent_that_does_not_answer_is_not_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "STOP_PATIENCE", 0.1)
    session = bench.session("services: {web: {command: [sleep, '100'], stop: {timeout: 0.1s}}}").up()
    os.kill(_agent(session), signal.SIGSTOP)
    session.stop()
    assert "it did not answer `stop` within 0.20 s, so its stream was closed" in session.of(e.Warned)[0].message
    assert is_gone(session.of(e.ReplicaSpawned)[0].pid)
    assert session.background.status().state == "stopped"


@pytest.mark.parametrize("stopped", [("agent", "guardian"), ("guardian",)], ids=" and ".join)
def test_a_pair_that_does_not_end_is_killed_with_everything_it_ran(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, stopped: tuple[str, ...]
) -> None:
    monkeypatch.setattr(replica, "STOP_PATIENCE", 0.1)
    monkeypatch.setattr(local, "PATIENCE", 0.5)
    session = bench.session(ENVIRONMENT).up()
    directory = Path(session.background.status().dir)
    pids = [_half(session, half) for half in ("agent", "guardian")] + heads_in(session.log("hydra"))
    for half in stopped:
        os.kill(_half(session, half), signal.SIGSTOP)
    session.stop()
    (warning,) = session.of(e.Warned)
    assert warning.message.startswith("the agent had not ended 0.50 s after it was let go, so it was killed")
    assert all(map(is_gone, pids))
    assert not (directory / "processes.json").exists()
    assert session.background.status().state == "stopped"


def _agent(session: Running) -> int:
    return _half(session, "agent")


def _half(session: Running, half: str) -> int:
    import json

    record = json.loads((Path(session.background.status().dir) / "processes.json").read_text())
    pid: int = record[half]["pid"]
    return pid
