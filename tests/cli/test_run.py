"""`envspec run`: a command in an environment, and whose exit code is whose."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from envspec.cli.run_command import run_command
from envspec.plan import events as e
from envspec.session.request import Request
from envspec.session.status import SessionStatus

PRINT = "import os; print({k: v for k, v in os.environ.items() if k.startswith('ENVSPEC_')})"


def variables(text: str) -> dict[str, str]:
    import ast

    found = ast.literal_eval(text.strip())
    assert isinstance(found, dict)
    return found


def test_the_command_finds_the_services_in_its_environment(envspec: Any, web: str) -> None:
    envspec.write(web)
    result = envspec("run", "local", "--", sys.executable, "-c", PRINT)
    seen = variables(result.stdout)

    assert result.returncode == 0
    assert seen["ENVSPEC_WEB_HTTP_URL"] == f"http://127.0.0.1:{seen['ENVSPEC_WEB_HTTP_PORT']}"
    assert seen["ENVSPEC_WEB_HTTP_HOST"] == "127.0.0.1"
    assert seen["ENVSPEC_SESSION"].startswith("local-")
    assert envspec.live == []


def test_replicas_and_blocks_have_variables_too(envspec: Any) -> None:
    envspec.write(
        "version: 1\nservices:\n"
        "  worker: {command: [sleep, '60'], replicas: 2, ports: {kv_events: {count: 2}}}\n"
        "  one: {command: [sleep, '60'], replicas: 1, ports: {http: auto}}\n"
    )
    seen = variables(envspec("run", "--", sys.executable, "-c", PRINT).stdout)

    first, second = seen["ENVSPEC_WORKER_1_KV_EVENTS_PORTS"].split(",")
    assert seen["ENVSPEC_WORKER_1_KV_EVENTS_PORT"] == first
    assert int(second) == int(first) + 1
    assert "ENVSPEC_WORKER_KV_EVENTS_PORT" not in seen
    assert seen["ENVSPEC_ONE_HTTP_URL"] == seen["ENVSPEC_ONE_0_HTTP_URL"]


@pytest.mark.parametrize(
    ("command", "code"),
    [("exit 7", 7), ("kill -KILL $$", 128 + 9)],
)
def test_the_exit_code_is_the_commands_own(envspec: Any, command: str, code: int) -> None:
    envspec.write("version: 1\nservices: {s: {command: [sleep, '60']}}\n")
    result = envspec("run", "local", "--", "sh", "-c", command)

    assert result.returncode == code
    assert envspec.live == []


def test_125_where_envspec_itself_failed(envspec: Any) -> None:
    envspec.write("version: 1\nservices: {s: {shell: 'exit 3', health: [{exec: {command: ['false']}}]}}\n")
    envspec.write("version: 1\nservice: {}\n", "wrong")

    failed = envspec("run", "local", "--", "touch", "ran")
    wrong = envspec("run", "wrong", "--", "touch", "ran")
    missing = envspec("run", "nope", "--", "touch", "ran")
    empty = envspec("run", "local")

    assert {run.returncode for run in (failed, wrong, missing, empty)} == {125}
    assert "s exited with code 3" in failed.stderr
    assert "wrong.yaml:2:1" in wrong.stderr
    assert "there is no command to run" in empty.stderr
    assert not (envspec.project / "ran").exists()


def test_a_command_that_cannot_be_run_is_said_before_anything_starts(envspec: Any, web: str) -> None:
    envspec.write(web)
    (envspec.project / "data").touch(mode=0o644)

    assert envspec("run", "local", "--", "no-such-command").returncode == 127
    assert envspec("run", "local", "--", "./data").returncode == 126
    assert not (envspec.project.parent / "state").exists()


def test_options_of_the_command_are_the_commands(envspec: Any) -> None:
    envspec.write("version: 1\nvars: {x: a}\nservices: {s: {command: [sleep, '60']}}\n")

    assert envspec("run", "local", "--set", "x=b", "--", "echo", "--set", "-h", "--").stdout == "--set -h --\n"
    assert envspec("run", "local", "echo", "--set", "-h").stdout == "--set -h\n"


def test_ctrl_c_is_for_the_command_alone_while_it_runs(envspec: Any) -> None:
    envspec.write("version: 1\nservices: {s: {command: [sleep, '60']}}\n")
    waits = "import signal, sys; signal.signal(signal.SIGINT, lambda *_: sys.exit(9)); print('ready'); signal.pause()"
    run = envspec.start("run", "local", "--", sys.executable, "-uc", waits)
    run.until("ready")
    import os

    os.killpg(run.process.pid, signal.SIGINT)

    assert run.end() == 9


def test_ctrl_c_ends_a_command_that_does_nothing_about_it(envspec: Any) -> None:
    envspec.write("version: 1\nservices: {s: {command: [sleep, '60']}}\n")
    run = envspec.start("run", "local", "--", "sh", "-c", "echo ready; exec sleep 60")
    run.until("ready")
    import os

    os.killpg(run.process.pid, signal.SIGINT)

    assert run.end() == 128 + signal.SIGINT
    assert envspec.live == []


def test_the_command_is_started_as_a_shell_would_start_it(envspec: Any) -> None:
    """Descriptors that the shell opened go to the command; that Python ignores SIGPIPE does not concern it."""
    envspec.write("version: 1\nservices: {s: {command: [sleep, '60']}}\n")
    result = subprocess.run(
        ["sh", "-c", "envspec run local -- sh -c 'head -c 9 <&7; yes | head -1' 7< environments/local.yaml"],
        cwd=envspec.project, env=envspec.environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (result.returncode, result.stdout) == (0, "version: y\n")
    assert "Broken pipe" not in result.stderr


def test_sigterm_is_passed_on_to_the_command(envspec: Any) -> None:
    envspec.write("version: 1\nservices: {s: {command: [sleep, '60']}}\n")
    run = envspec.start("run", "local", "--", "sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.1; done")
    run.until("ready")
    run.signal(signal.SIGTERM)

    assert run.end() == 5
    assert envspec.live == []


@pytest.mark.parametrize("deaf", ["", "trap '' TERM; "], ids=["polite", "deaf"])
def test_a_killed_run_leaves_neither_its_services_nor_its_command(
    envspec: Any, eventually: Callable[..., Any], processes_of: Any, deaf: str
) -> None:
    envspec.write("version: 1\nservices: {s: {command: [sleep, '60']}}\n")
    run = envspec.start("run", "local", "--", "sh", "-c", f"{deaf}(sleep 600; true) & echo ready; wait; sleep 600")
    run.until("ready")
    eventually(lambda: len(processes_of(envspec)) >= 5, "run, guardian, agent, service, the command and its child")
    run.signal(signal.SIGKILL)

    assert run.end() == -signal.SIGKILL
    processes_of(envspec, gone=True)


def test_a_stop_that_takes_long_says_whom_it_waits_for(envspec: Any) -> None:
    envspec.write(
        "version: 1\nservices:\n  mule:\n    shell: trap '' TERM; echo up; while true; do sleep 0.05; done\n"
        "    health: [{log: {match: up}}]\n    stop: {timeout: 800ms}\n"
    )
    result = envspec("run", "local", "--", "true")

    assert result.returncode == 0
    assert result.stderr.splitlines()[-1] == "stopping local: waiting for mule (up to 0.80 s)"


def test_a_command_goes_on_when_the_agent_is_killed(envspec: Any) -> None:
    envspec.write("version: 1\nservices: {s: {command: [sleep, '60']}}\n")
    kill = "import json, os, sys; os.kill(json.load(open(sys.argv[1]))['guardian']['pid'], 9)"
    record = envspec.environ["ENVSPEC_STATE_DIR"] + "/sessions/$ENVSPEC_SESSION/processes.json"
    done = f"""{sys.executable} -c "{kill}" {record}; while test -e {record}; do sleep 0.05; done; exit 7"""

    assert envspec("run", "local", "--", "sh", "-c", done).returncode == 7


def test_a_service_lost_meanwhile_is_told_but_changes_nothing(envspec: Any, web: str) -> None:
    envspec.write(web)
    result = envspec("run", "local", "--", "sh", "-c", "envspec kill web >&2; exit 6")

    assert result.returncode == 6
    assert "warning: while the command ran, " in result.stderr


class Unread:
    """A screen whose reader leaves when the environment is healthy."""

    def event(self, event: e.Event, _status: SessionStatus) -> None:
        if isinstance(event, e.SessionHealthy):
            raise BrokenPipeError

    def close(self) -> None:
        """There is nothing to restore."""


def test_a_reader_that_leaves_at_the_last_moment_stops_it_too(envspec: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    file = envspec.write("version: 1\nservices: {s: {command: [sleep, '60']}}\n")
    monkeypatch.setattr("envspec.cli.run_command.screen_on", lambda _stream: Unread())
    monkeypatch.setenv("ENVSPEC_STATE_DIR", envspec.environ["ENVSPEC_STATE_DIR"])
    ran = envspec.project / "ran"

    with pytest.raises(BrokenPipeError):
        run_command(Request(file, environ=envspec.environ), None, ["touch", str(ran)])

    assert not ran.exists()
    assert envspec.live == []


def test_an_environment_taken_away_meanwhile_is_told_but_changes_nothing(envspec: Any, web: str) -> None:
    envspec.write(web)
    result = envspec("run", "local", "--", "sh", "-c", "envspec down >&2; exit 6")

    assert result.returncode == 6
    assert "warning: while the command ran, the environment was stopped (envspec down)\n" in result.stderr
