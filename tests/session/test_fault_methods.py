"""Faults as methods of a live service: in the process of the session, and over its control socket."""

from __future__ import annotations

from pathlib import Path

import pytest

from envspec.agent.identity import stat_fields
from envspec.plan import events as e
from envspec.session.live import Environment
from tests.session.faulty import SERVICES
from tests.session.running import Bench, Running, eventually


@pytest.fixture
def session(bench: Bench) -> Running:
    return bench.session(SERVICES).up()


def directory(live: Environment, replica: str) -> Path:
    return live.dir / "replicas" / replica


def test_a_stopped_service_can_be_started_with_what_it_had(live: Environment) -> None:
    store = live["store"]
    store.stop()
    assert (store.state, store.pid) == ("stopped", None)
    assert (directory(live, "store") / "data/deep/file").exists()
    store.start()
    assert store.state == "healthy"
    assert live.state == "healthy"


def test_wiping_removes_what_the_service_made_and_renders_its_files_again(live: Environment, tmp_path: Path) -> None:
    mine = directory(live, "store")
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "kept").touch()
    (mine / "link").symlink_to(precious)
    live["store"].stop(wipe=True)
    assert list(mine.iterdir()) == []
    assert (precious / "kept").exists()
    live["store"].start()
    assert (mine / "notes").read_text() == "as written\nmine\n"


def test_a_restart_wipes_only_when_told_to(live: Environment) -> None:
    notes = directory(live, "store") / "notes"
    (notes.parent / "left").touch()
    live["store"].restart()
    assert (notes.parent / "left").exists()
    live["store"].restart(wipe=True)
    assert not (notes.parent / "left").exists()
    assert live["store"].state == "healthy"


def test_the_directory_of_another_replica_is_left_alone(live: Environment) -> None:
    (directory(live, "other") / "kept").touch()
    live["store"].restart(wipe=True)
    assert (directory(live, "other") / "kept").exists()


def test_a_child_is_killed_and_its_parent_that_dies_of_it_has_died_as_ordered(
    live: Environment, session: Running
) -> None:
    engine = live["engine"]
    engine.kill_child("sleep 1001")
    assert engine.wait_exited(timeout=20) == 7
    exited = session.wait(e.ReplicaExited, replica="engine")
    assert (exited.exit_code, exited.ordered, exited.expected) == (7, True, True)
    assert session.of(e.ReplicaFailed) == []
    (ordered,) = session.of(e.FaultOrdered)
    assert (ordered.action, ordered.signal) == ("kill_child", "KILL")
    assert ordered.child.endswith("sleep 1001")


def test_a_child_that_takes_another_signal_is_known_by_its_name(live: Environment, session: Running) -> None:
    live["engine"].kill_child("1002", signal="STOP")
    (ordered,) = session.of(e.FaultOrdered)
    pid = int(ordered.child.split()[0])
    eventually(lambda: stat_fields(pid)[0] == "T")
    assert live["engine"].state == "healthy"


def test_a_service_of_which_a_replica_is_paused_says_so(bench: Bench) -> None:
    session = bench.session("services: {web: {command: [sleep, '100'], replicas: 2}}").up()
    live = Environment(session.background)
    with live["web.1"].paused() as paused:
        assert (paused.state, paused.is_paused, repr(paused)) == ("paused", True, "<Service web.1: paused>")
        assert (live["web"].state, live["web"].is_paused) == ("paused", True)
        assert (live["web.0"].state, live["web.0"].is_paused) == ("healthy", False)
    assert (live["web"].state, live["web"].is_paused) == ("healthy", False)


def test_how_the_last_process_ended_is_known_after_its_restart_too(live: Environment) -> None:
    other = live["other"]
    before = other.ended
    other.kill()
    killed = (other.ended, other.exit_code)
    other.start()
    assert (before, killed, other.ended) == (None, ("SIGKILL", None), "SIGKILL")


def test_a_stop_is_not_followed_by_a_restart_and_a_kill_is(bench: Bench) -> None:
    session = bench.session("services: {web: {command: [sleep, '100'], restart: {on: always}}}").up()
    web = Environment(session.background)["web"]
    web.kill()
    session.wait_count(e.ReplicaHealthy, 2)
    web.stop()
    assert web.state == "stopped"
    web.start()
    assert session["web"].starts == 3
