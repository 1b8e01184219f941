"""`up -d` that is interrupted, cannot tell what it has to, or never comes to a session."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

import pytest

NEVER = """\
version: 1
services:
  good: {command: [sleep, "600"]}
  never:
    shell: trap '' TERM; while true; do sleep 0.05; done
    depends_on: [good]
    health: [{exec: {command: ["false"]}}]
    stop: {timeout: GRACE}
"""
LEFT = "left at once; what still runs is stopped behind this, by force after a second\n"


def pipe(envspec: Any, command: str) -> subprocess.CompletedProcess[str]:
    """Run a pipe with `envspec` in it; its code is that of the first command that failed."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.replace("envspec", envspec.program)],
        cwd=envspec.project, env=envspec.environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_it_starts_shows_the_stop_and_waits_for_it(
    envspec: Any, processes_of: Any, number: signal.Signals
) -> None:
    envspec.write(NEVER.replace("GRACE", "500ms"))
    up = envspec.start("up", "-d")
    up.until("exec not yet")
    up.signal(number)

    assert up.end() == 130
    assert "stopping: the command that started it was interrupted" in up.out
    assert "never     killed, its grace of " in up.out
    assert up.out.splitlines()[-1].startswith("○ local is stopped  local-")
    assert up.err == ""
    processes_of(envspec, gone=True)


def test_a_second_ctrl_c_leaves_at_once_and_hurries_the_stop(envspec: Any, processes_of: Any) -> None:
    envspec.write(NEVER.replace("GRACE", "600s"))
    up = envspec.start("up", "-d")
    up.until("exec not yet")
    up.signal(signal.SIGINT)
    up.until("sent SIGTERM")
    up.signal_once_more(signal.SIGINT)

    assert up.end() == 130
    assert up.err == LEFT
    processes_of(envspec, gone=True)


def test_a_second_sigterm_changes_nothing(envspec: Any) -> None:
    envspec.write(NEVER.replace("GRACE", "500ms"))
    up = envspec.start("up", "-d")
    up.until("exec not yet")
    up.signal(signal.SIGTERM)
    up.until("sent SIGTERM")
    up.signal(signal.SIGTERM)

    assert up.end() == 130
    assert up.out.splitlines()[-1].startswith("○ local is stopped  local-")


def test_a_closed_terminal_means_nothing_under_nohup(envspec: Any) -> None:
    go = envspec.project / "go"
    envspec.write(NEVER.replace('["false"]', f"[test, -e, {go}]").replace("GRACE", "200ms"))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does it
    try:
        up = envspec.start("up", "-d")
    finally:
        signal.signal(signal.SIGHUP, before)
    up.until("exec not yet")
    up.signal(signal.SIGHUP)
    go.touch()

    assert up.end() == 0


def test_ctrl_c_while_run_starts_ends_with_the_same_line(envspec: Any) -> None:
    envspec.write(NEVER.replace("GRACE", "200ms"))
    run = envspec.start("run", "local", "--", "true")
    run.until("exec not yet")
    run.signal(signal.SIGINT)

    assert run.end() == 130
    assert run.err.splitlines()[-1].startswith("○ local is stopped  local-")


LATE = """\
import atexit, os, signal, sys
from envspec.cli import terminal
from envspec.cli.main import main
show = terminal.show

def interrupted(*arguments, **options):
    show(*arguments, **options)
    if len(arguments) == 1:  # not a line of the start, which names its stream
        os.kill(os.getpid(), signal.SIGINT)

terminal.show = interrupted
atexit.register(os.kill, os.getpid(), signal.SIGINT)
sys.exit(main(["up", "-d"]))
"""


def test_ctrl_c_behind_the_picture_changes_nothing(envspec: Any, web: str) -> None:
    envspec.write(web)
    up = subprocess.run(
        [sys.executable, "-c", LATE], cwd=envspec.project, env=envspec.environ, capture_output=True, check=False
    )

    assert b"stop  envspec down local-" in up.stdout
    assert (up.returncode, up.stderr) == (0, b"")
    assert len(envspec.live) == 1


@pytest.mark.parametrize("detach", [[], ["-d"]])
def test_a_backend_that_does_not_exist_is_said_with_those_that_do(envspec: Any, web: str, detach: list[str]) -> None:
    envspec.write(web)
    up = envspec("up", *detach, "--backend", "moon")

    assert up.returncode == 2
    assert up.stderr == "error: there is no backend 'moon'\nhint: there are: local\n"


def test_the_failed_service_is_failed_in_json_and_the_others_are_stopped(envspec: Any) -> None:
    envspec.write(NEVER.replace("GRACE", "200ms").replace("  never:\n", "  never:\n    start_timeout: 300ms\n"))
    up = envspec("up", "-d", "--format", "json")
    services = {service["name"]: service for service in json.loads(up.stdout)["services"]}

    assert up.returncode == 4
    assert (services["good"]["state"], services["never"]["state"]) == ("stopped", "failed")
    assert services["never"]["message"].startswith("never did not become healthy within its start_timeout")


def test_json_that_nobody_can_have_is_a_stop(envspec: Any, web: str, processes_of: Any) -> None:
    envspec.write(web)
    full = pipe(envspec, "envspec up -d --format json >/dev/full")

    assert full.returncode == 1
    assert full.stderr.endswith("error: cannot write to standard output: No space left on device\n")
    processes_of(envspec, gone=True)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_reader_that_has_had_enough_leaves_the_session_as_it_is(envspec: Any, web: str, form: str) -> None:
    envspec.write(web)
    result = pipe(envspec, f"envspec up -d --format {form} | head -c 1")

    assert "error" not in result.stderr
    [session] = envspec.json("ps")
    assert session["state"] == "healthy"
