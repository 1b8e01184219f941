"""How sessions are found from elsewhere, and what becomes of what dead ones leave."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from envspec.agent.identity import boot_id, pid_namespace
from envspec.plan.events import SessionFailed
from envspec.session import agent_client, registry
from envspec.session.control import Control
from envspec.session.state import RECORD, sessions_directory, state_directory, write_json
from tests.hydra import COMMAND, ENVIRONMENT, heads_in
from tests.session.running import Bench, Owner, eventually, is_gone

SLEEPER = "services: {web: {command: [sleep, '100'], ports: {http: auto}}}"


def test_two_sessions_of_one_environment_live_side_by_side(bench: Bench) -> None:
    first, second = bench.session(SLEEPER).up(), bench.session(SLEEPER).up()
    assert [entry.id for entry in registry.sessions()] == [s.background.status().id for s in (first, second)]
    assert first["web"].ports != second["web"].ports
    assert first.background.status().dir != second.background.status().dir
    first.stop()
    assert [entry.id for entry in registry.sessions()] == [second.background.status().id]
    assert second["web"].state == "healthy"


def test_a_session_is_found_by_its_id_and_by_its_environment(bench: Bench) -> None:
    first, second = bench.session(SLEEPER).up(), bench.session(SLEEPER).up()
    other = bench.session(SLEEPER, "other").up()
    assert [entry.id for entry in registry.find(other.background.status().id)] == [other.background.status().id]
    assert {entry.id for entry in registry.find("env")} == {s.background.status().id for s in (first, second)}
    assert registry.find("nothing") == []
    entry = registry.find("other")[0]
    assert (entry.environment, entry.pid, entry.file) == ("other", os.getpid(), str(other.request.file))


def test_a_session_shows_while_it_starts(bench: Bench) -> None:
    session = bench.session("services: {web: {command: [sleep, '100'], health: [{exec: {command: ['false']}}]}}")
    session.begin()
    eventually(registry.sessions)
    eventually(lambda: Control(registry.sessions()[0].directory).status().services)
    status = Control(registry.sessions()[0].directory).status()
    assert status.state == "starting"
    Control(registry.sessions()[0].directory).stop("enough")
    session.join()
    assert registry.sessions() == []


def test_what_an_ended_session_leaves_is_logs_and_events(bench: Bench) -> None:
    session = bench.session("services: {web: {command: [sh, -c, 'echo hello; exec sleep 100']}}").up()
    directory = Path(session.background.status().dir)
    eventually(lambda: session.log("web") == "hello\n")
    tmp = json.loads((directory / "processes.json").read_text())["scratch"]
    session.stop()
    assert not (directory / "processes.json").exists()
    assert (directory / "logs" / "web.log").read_text() == "hello\n"
    assert '"session-stopped"' in (directory / "events.jsonl").read_text()
    assert not (directory / "replicas").exists()
    assert not (directory / "control.sock").exists()
    assert not Path(tmp).exists()
    assert [entry.id for entry in registry.ended()] == [directory.name]


def test_nobody_else_may_look_into_the_state_directory(bench: Bench) -> None:
    session = bench.session(SLEEPER).up()
    directory = Path(session.background.status().dir)
    assert [path.stat().st_mode & 0o777 for path in (state_directory(), directory.parent, directory)] == [0o700] * 3
    assert (directory / "control.sock").stat().st_mode & 0o777 == 0o600
    assert (directory / RECORD).stat().st_mode & 0o777 == 0o600


def test_nothing_outlives_an_owner_that_is_killed(bench: Bench) -> None:
    with Owner(bench, SLEEPER) as owner:
        directory = registry.sessions()[0].directory
        pids = [replica.pid or 0 for replica in Control(directory).status().services.values()]
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        assert registry.sessions() == []
        eventually(lambda: all(map(is_gone, pids)))


def test_who_meets_a_dead_session_cleans_up_after_it(bench: Bench) -> None:
    with Owner(bench, ENVIRONMENT) as owner:
        directory = registry.sessions()[0].directory
        processes = json.loads((directory / "processes.json").read_text())
        heads = _heads(directory)
        pair = [processes[half]["pid"] for half in ("guardian", "agent")]
        for half in pair:
            os.kill(half, signal.SIGSTOP)  # or one of them would see the others die, and do its work
        for victim in (owner.pid, *pair):
            os.kill(victim, signal.SIGKILL)
        owner.wait()
        eventually(lambda: all(map(is_gone, pair)))
        assert not any(map(is_gone, heads))
        assert registry.sessions() == []
        assert all(map(is_gone, heads))
        assert json.loads((directory / RECORD).read_text())["ended"] is not None
        assert (directory / "events.jsonl").exists()
        assert not (directory / "replicas").exists()


def _heads(directory: Path) -> list[int]:
    heads = heads_in((directory / "logs" / "hydra.log").read_text())
    assert len(heads) == 3
    return heads


def _kill_pair(directory: Path) -> list[int]:
    """Kill guardian and agent where neither can act on the other's death, and return who they were."""
    processes = json.loads((directory / "processes.json").read_text())
    pair: list[int] = [processes[half]["pid"] for half in ("guardian", "agent")]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for half in pair:
            os.kill(half, number)
    return pair


def test_a_session_that_loses_guardian_and_agent_at_once_ends_what_daemonised(bench: Bench) -> None:
    session = bench.session(ENVIRONMENT).up()
    directory = Path(session.background.status().dir)
    heads = _heads(directory)
    _kill_pair(directory)
    message = session.wait(SessionFailed).message
    assert all(map(is_gone, heads))
    assert "and with it everything that it ran; what had outlived it was killed: " in message
    assert all(f"{head} {COMMAND}" in message for head in heads)
    eventually(lambda: not (directory / "processes.json").exists())


def test_who_meets_an_ended_session_ends_what_it_left(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_client, "sweep", lambda _: [])  # its owner was interrupted just then
    session = bench.session(ENVIRONMENT).up()
    directory = Path(session.background.status().dir)
    heads = _heads(directory)
    pair = _kill_pair(directory)
    session.wait(SessionFailed)
    eventually(lambda: _ended(directory) and all(map(is_gone, pair)))
    assert not any(map(is_gone, heads))
    assert registry.sessions() == []
    assert all(map(is_gone, heads))


def _record(name: str, **fields: Any) -> Path:
    directory = sessions_directory() / name
    directory.mkdir(parents=True)
    record = {
        "id": name,
        "environment": "env",
        "file": "/env.yaml",
        "backend": "local",
        "pid": 1,
        "start_time": -1,
        "boot_id": boot_id(),
        "pid_namespace": pid_namespace(),
        "host": os.uname().nodename,
        "created": time.time(),
        "ended": None,
    }
    write_json(directory / RECORD, {**record, **fields})
    return directory


def _ended(directory: Path) -> Any:
    return json.loads((directory / RECORD).read_text())["ended"]


@pytest.mark.usefixtures("bench")
class TestRecords:
    def test_a_pid_that_was_recycled_is_a_dead_session(self) -> None:
        directory = _record("recycled", pid=os.getpid(), start_time=1)
        assert registry.sessions() == []
        assert _ended(directory)

    def test_a_session_of_before_the_reboot_is_dead(self) -> None:
        directory = _record("rebooted", boot_id="another", pid=os.getpid())
        assert registry.sessions() == []
        assert _ended(directory)

    def test_a_dead_session_has_ended_before_anybody_writes_that_down(self) -> None:
        directory = _record("dead")
        assert [entry.id for entry in registry.ended()] == ["dead"]
        assert _ended(directory) is None

    @pytest.mark.parametrize("foreign", [{"pid_namespace": 1}, {"boot_id": "another", "host": "another"}])
    def test_what_another_machine_or_container_wrote_is_left_alone(self, foreign: dict[str, Any]) -> None:
        directory = _record("foreign", **foreign)
        assert registry.sessions() == []
        assert _ended(directory) is None

    def test_the_last_ten_ended_sessions_are_kept_for_a_day(self) -> None:
        now = time.time()
        kept = [_record(f"new-{age}", ended=now - age) for age in range(10)]
        surplus = _record("eleventh", ended=now - 100)
        registry.clean()
        assert all(directory.exists() for directory in kept)
        assert not surplus.exists()
        old = _record("old", ended=now - 25 * 3600)
        for directory in kept[3:]:
            (directory / RECORD).unlink()
        registry.clean()
        assert not old.exists()

    @pytest.mark.parametrize("text", ["", "[]", "{}", "\0"])
    def test_a_directory_that_is_no_session_hinders_nobody(self, text: str) -> None:
        directory = sessions_directory() / "odd"
        directory.mkdir(parents=True)
        (directory / RECORD).write_text(text)
        assert registry.sessions() == []
