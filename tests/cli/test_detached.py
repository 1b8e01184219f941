"""Sessions that outlive the command that started them: up -d, ps, down, faults."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

SESSION = {"id", "environment", "state", "dir", "pid", "services"}
REPLICA = {"name", "service", "state", "pid", "exit_code", "host", "ports", "endpoints"}


def test_ps_has_the_documented_shape(pair: Any) -> None:
    [session] = pair.json("ps")
    front, *workers = sorted(session["services"], key=lambda replica: str(replica["name"]))

    assert set(session) >= SESSION
    assert all(set(replica) >= REPLICA for replica in session["services"])
    assert session["environment"] == "pair"
    assert session["state"] == "healthy"
    assert Path(session["dir"], "events.jsonl").exists()
    assert [worker["name"] for worker in workers] == ["worker.0", "worker.1"]
    assert front["endpoints"]["http"] == f"http://127.0.0.1:{front['ports']['http']}"
    assert front["ports"]["extra"][1] == front["ports"]["extra"][0] + 1


def test_ps_lists_every_port_by_its_name(pair: Any) -> None:
    [session] = pair.json("ps")
    lines = {line.split()[1]: line for line in pair("ps").stdout.splitlines()[1:]}

    for replica in session["services"]:
        assert str(replica["pid"]) in lines[replica["name"]]
        assert f"http http://127.0.0.1:{replica['ports']['http']}" in lines[replica["name"]]
    first, last = session["services"][-1]["ports"]["extra"]
    assert f"extra 127.0.0.1:{first}-{last}" in lines["front"]


def test_up_d_prints_the_session_and_leaves_it_running(envspec: Any, web: str) -> None:
    envspec.write(web)
    result = envspec("up", "-d")
    [session] = envspec.json("ps")

    assert result.returncode == 0
    assert f"stop  envspec down {session['id']}" in result.stdout
    assert session["services"][0]["endpoints"]["http"] in result.stdout

    down = envspec("down", session["id"])

    assert (down.returncode, down.stdout) == (0, f"○ local is stopped  {session['id']}\n")
    assert envspec.live == []


def test_up_d_that_fails_prints_the_failed_session_and_leaves_nothing(envspec: Any, processes_of: Any) -> None:
    bad = "bad: {shell: 'exit 3', health: [{exec: {command: ['false']}}]}"
    envspec.write(f"version: 1\nservices:\n  {bad}\n  good: {{command: [sleep, '60']}}\n")
    result = envspec("up", "-d", "--format", "json")

    assert result.returncode == 4
    assert '"state": "failed"' in result.stdout
    assert "error: bad exited with code 3" in result.stderr
    processes_of(envspec, gone=True)


def test_ctrl_c_while_it_starts_stops_the_session_behind_it(envspec: Any, processes_of: Any) -> None:
    envspec.write("version: 1\nservices:\n  s: {command: [sleep, '60'], health: [{exec: {command: ['false']}}]}\n")
    up = envspec.start("up", "-d")
    up.until("exec not yet")
    up.signal(signal.SIGINT)

    assert up.end() == 130
    processes_of(envspec, gone=True)


def test_what_a_detached_session_prints_is_only_for_its_user(envspec: Any, web: str) -> None:
    envspec.write(web)
    assert envspec("up", "-d").returncode == 0

    assert Path(envspec.environ["ENVSPEC_STATE_DIR"], "detached.log").stat().st_mode & 0o777 == 0o600


def test_down_without_a_name_wants_to_know_which(envspec: Any, web: str) -> None:
    envspec.write(web)
    nothing = envspec("down")
    ids = [envspec.json("up", "-d")["id"] for _ in range(2)]
    unclear = envspec("down")
    unknown = envspec("down", "nope")

    assert nothing.returncode == unclear.returncode == unknown.returncode == 2
    assert "no session runs" in nothing.stderr
    assert all(identifier in unclear.stderr for identifier in ids)
    assert "no session nope runs" in unknown.stderr

    assert envspec("down", "--all").returncode == 0
    assert envspec.json("ps") == []


def test_down_all_takes_no_name(pair: Any) -> None:
    [session] = pair.json("ps")
    result = pair("down", "--all", "nosuch")

    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: --all stops every session, and nosuch names one")
    assert [each["id"] for each in pair.json("ps")] == [session["id"]]


def test_a_session_whose_process_was_killed_is_cleaned_by_whoever_looks(envspec: Any, web: str) -> None:
    envspec.write(web)
    session = envspec.json("up", "-d")
    os.kill(session["pid"], signal.SIGKILL)

    def gone() -> bool:
        listed: list[Any] = envspec.json("ps")
        return not listed

    from_outside = envspec("down", session["id"])

    assert gone()
    assert from_outside.returncode == 2


def test_faults_by_hand(envspec: Any, web: str) -> None:
    envspec.write(web)
    before = envspec.json("up", "-d")["services"][0]

    assert envspec("pause", "web").returncode == 0
    [paused] = envspec.json("ps")[0]["services"]
    assert paused["paused"]
    assert "paused" in envspec("ps").stdout
    assert envspec("resume", "web").returncode == 0
    assert envspec("restart", "web").returncode == 0
    [restarted] = envspec.json("ps")[0]["services"]
    assert restarted["pid"] != before["pid"]
    assert restarted["ports"] == before["ports"]
    assert restarted["state"] == "healthy"
    assert envspec("kill", "web").returncode == 0
    [killed] = envspec.json("ps")[0]["services"]
    assert killed["pid"] is None
    assert killed["signal"] == "SIGKILL"


def test_a_kill_takes_a_signal_and_a_child_and_a_restart_may_wipe(envspec: Any) -> None:
    envspec.write("services: {web: {command: [sh, -c, 'touch made; sleep 1001 & wait $!; exit 9'], replicas: 2}}")
    session = envspec.json("up", "-d")
    directory = Path(session["dir"]) / "replicas" / "web.0"
    (directory / "left").touch()
    assert envspec("restart", "web.0", "--wipe").returncode == 0
    assert [path.name for path in directory.iterdir()] == ["made"]
    assert envspec("kill", "web.1", "--signal", "TERM", "--child", "sleep 1001").returncode == 0
    refused = envspec("kill", "web.0", "--child", "EngineCore")
    assert refused.returncode == 2
    assert "no process below web.0 has 'EngineCore' in its name or command line" in refused.stderr
    assert "sleep 1001" in refused.stderr


def test_resuming_what_is_not_paused_says_so(envspec: Any, web: str) -> None:
    envspec.write(web)
    session = envspec.json("up", "-d")
    idle = envspec("resume", "web")
    envspec("pause", "web")
    paused = envspec("resume", "web")

    assert (idle.returncode, idle.stdout) == (0, f"resume web  {session['id']}  it was not paused\n")
    assert (paused.returncode, paused.stdout) == (0, f"resume web  {session['id']}\n")


def test_down_says_whom_it_waits_for(envspec: Any) -> None:
    envspec.write(
        "version: 1\nservices:\n  mule:\n    shell: trap '' TERM; echo up; while true; do sleep 0.05; done\n"
        "    health: [{log: {match: up}}]\n    stop: {timeout: 600s}\n"
    )
    session = envspec.json("up", "-d")
    down = envspec.start("down")
    down.until("stopping local: waiting for mule (up to 10 min 0 s)\n")
    os.kill(session["services"][0]["pid"], signal.SIGKILL)

    assert down.end() == 0
    assert down.out == f"○ local is stopped  {session['id']}\n"
    assert down.err.count("waiting") == 1


@pytest.mark.parametrize("command", ["kill", "pause", "resume", "restart"])
def test_a_fault_on_what_is_not_there(pair: Any, command: str) -> None:
    unknown = pair(command, "nope")
    elsewhere = pair(command, "worker.0", "--session", "nope-12345")

    assert unknown.returncode == elsewhere.returncode == 2
    assert "nope" in unknown.stderr
    assert "no session nope-12345 runs" in elsewhere.stderr


@pytest.mark.parametrize("command", ["kill", "logs"])
def test_a_replica_that_is_not_there_is_told_from_a_service(pair: Any, command: str) -> None:
    result = pair(command, "worker.9")

    assert result.returncode == 2
    assert "no replica 'worker.9'\nhint: worker has the replicas worker.0 … worker.1\n" in result.stderr


def test_a_session_that_stands_still_is_shown_as_such_and_does_not_hold_down_up(envspec: Any, web: str) -> None:
    envspec.write(web)
    assert envspec("up", "-d").returncode == 0
    [session] = envspec.json("ps")
    os.kill(session["pid"], signal.SIGSTOP)
    try:
        shown, refused = envspec.start("ps"), envspec.start("down")  # all at once: each waits for an answer
        [silent] = envspec.json("ps")
        ended = shown.end(), refused.end()
    finally:
        os.kill(session["pid"], signal.SIGCONT)

    note = f"session {session['id']} (pid {session['pid']}) does not answer: it is stopped (SIGSTOP)"
    assert silent == {**session, "message": note, "seconds": silent["seconds"]}
    assert note in shown.out
    assert ended == (0, 5)
    assert refused.err.startswith(f"error: {note}\nhint: kill -CONT {session['pid']} lets it go on")
    assert envspec("down").returncode == 0
