"""`envspec up` in the foreground, without a terminal: lines, a closing picture, signals, exit codes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import urllib.request
from typing import Any

import pytest

NEVER = """\
version: 1
services:
  never:
    command: [sleep, "60"]
    health: [{exec: {command: ["false"]}}]
  after:
    command: [sleep, "60"]
    depends_on: [never]
"""
STUBBORN = """\
version: 1
services:
  stubborn:
    shell: trap '' TERM; while true; do sleep 0.1; done
    stop: {timeout: 60s}
"""
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def test_it_says_what_happens_and_where_things_are_and_stops_at_ctrl_c(envspec: Any, web: str) -> None:
    envspec.write(web)
    up = envspec.start("up")
    up.until("stop  Ctrl-C")
    url = re.search(r"open  (http://127\.0\.0\.1:\d+)  web", up.out)

    assert url is not None
    assert urllib.request.urlopen(url[1]).status == 200
    assert re.search(r"^ +\d+\.\d\d s  web +listens on http \d+$", up.out, re.MULTILINE)
    assert re.search(r"^ +\d+\.\d\d s  web +healthy after ", up.out, re.MULTILINE)

    up.signal(signal.SIGINT)

    assert up.end() == 0
    assert "○ local is stopped" in up.out
    assert up.err == ""
    assert CONTROL.search(up.out) is None
    assert envspec.live == []


@pytest.mark.parametrize("command", [("up",), ("up", "-d"), ("run", "local", "--", "true")])
def test_what_a_service_wrote_reaches_a_file_without_control_characters(envspec: Any, command: tuple[str, ...]) -> None:
    envspec.write(
        r"""
version: 1
services:
  loud:
    shell: printf "a\000b\033[31mred\007 \302\233x\r\n"; exit 3
    health: [{exec: {command: [printf, 'a\\000b\\033[31m']}}, {exec: {command: ["false"]}}]
"""
    )
    ended = envspec(*command)

    assert "│ a^@bred^G" in ended.stderr
    assert CONTROL.search(ended.stdout + ended.stderr) is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_sigterm_and_a_closed_terminal_are_a_stop(envspec: Any, web: str, number: int) -> None:
    envspec.write(web)
    up = envspec.start("up")
    up.until("stop  Ctrl-C")
    up.signal(number)

    assert up.end() == 0
    assert "is stopped" in up.out


def test_ctrl_c_during_the_start_stops_and_exits_with_130(envspec: Any) -> None:
    envspec.write(NEVER)
    up = envspec.start("up")
    up.until("exec not yet")
    up.signal(signal.SIGINT)

    assert up.end() == 130
    assert "stopping: Ctrl-C" in up.out
    assert "Traceback" not in up.err


def test_a_second_ctrl_c_leaves_at_once_and_the_agent_finishes(envspec: Any, processes_of: Any) -> None:
    envspec.write(STUBBORN)
    up = envspec.start("up")
    up.until("stop  Ctrl-C")
    assert processes_of(envspec)
    up.signal(signal.SIGINT)
    up.until("sent SIGTERM")
    up.signal_once_more(signal.SIGINT)

    assert up.end() == 130
    assert up.err.endswith("left at once; what still runs is stopped behind this, by force after a second\n")
    processes_of(envspec, gone=True)


def test_a_reader_that_goes_away_is_a_stop(envspec: Any, web: str, processes_of: Any) -> None:
    envspec.write(web)
    up = subprocess.Popen([envspec.program, "up"], cwd=envspec.project, env=envspec.environ, stdout=subprocess.PIPE)
    assert up.stdout is not None
    assert b"session local-" in up.stdout.readline()
    up.stdout.close()

    assert up.wait(30) == 1
    processes_of(envspec, gone=True)


def test_json_is_the_session_once_it_is_healthy_and_nothing_else_on_stdout(envspec: Any, web: str) -> None:
    envspec.write(web)
    up = envspec.start("up", "--format", "json")
    up.until("environment healthy")
    up.until('"services"')
    up.signal(signal.SIGINT)

    assert up.end() == 0
    session = json.loads(up.out)
    assert session["state"] == "healthy"
    assert session["services"][0]["ports"].keys() == {"http"}


def test_a_failed_start_tells_the_whole_story_and_exits_with_4(envspec: Any) -> None:
    envspec.write(NEVER.replace('command: [sleep, "60"]\n    health', 'shell: "echo said it; exit 3"\n    health'))
    up = envspec("up")

    assert up.returncode == 4
    assert "error: never exited with code 3" in up.stderr
    assert "held up  never ← after" in up.stderr
    assert "│ said it" in up.stderr
    assert envspec.live == []


def test_keep_on_failure_leaves_everything_up_until_ctrl_c(envspec: Any, processes_of: Any) -> None:
    envspec.write(NEVER.replace("    health", "    start_timeout: 500ms\n    health"))
    up = envspec.start("up", "--keep-on-failure")
    up.until("What runs is left as it is")

    [session] = envspec.json("ps")
    assert session["state"] == "failed"
    assert session["services"][0]["pid"] is not None
    assert "did not become healthy within its start_timeout" in up.err

    up.signal(signal.SIGINT)

    assert up.end() == 4
    processes_of(envspec, gone=True)


def test_a_service_that_dies_later_is_told_and_makes_the_exit_code_4(envspec: Any, web: str) -> None:
    envspec.write(web)
    up = envspec.start("up")
    up.until("stop  Ctrl-C")
    assert envspec("kill", "web").returncode == 0
    up.until("environment degraded")
    up.signal(signal.SIGINT)

    assert up.end() == 4
    assert "web" in up.err


def test_a_second_up_of_the_same_environment_has_ports_and_a_directory_of_its_own(envspec: Any, web: str) -> None:
    envspec.write(web)
    first, second = envspec.json("up", "-d"), envspec.json("up", "-d")

    assert first["dir"] != second["dir"]
    assert first["services"][0]["ports"] != second["services"][0]["ports"]
    assert [session["id"] for session in envspec.json("ps")] == [first["id"], second["id"]]

    envspec("down", "local")

    assert envspec.live == []


def test_set_changes_a_var_and_a_mistake_in_it_is_said(envspec: Any) -> None:
    envspec.write("version: 1\nvars: {n: 1}\nservices:\n  s: {command: [sleep, '60'], replicas: '{{ vars.n }}'}\n")

    session = envspec.json("up", "-d", "--set", "n=2")
    no_value = envspec("up", "--set", "n")
    no_var = envspec("up", "--set", "m=2")

    assert [replica["name"] for replica in session["services"]] == ["s.0", "s.1"]
    assert no_value.returncode == no_var.returncode == 2
    assert "--set n: a value is missing" in no_value.stderr
    assert "'m'" in no_var.stderr
