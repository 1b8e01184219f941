"""Ctrl-C while an environment is being stopped in a script: it becomes quick, and never hangs."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.session.running import PATIENCE, Bench, eventually, is_gone

STUBBORN = """
services:
  mule:
    command: [sh, -c, "trap '' TERM; echo up; while :; do sleep 0.02; done"]
    health: [{log: {match: up}}]
    stop: {timeout: 600s}
"""
IN_A_BLOCK = """
import sys, time, envspec
with envspec.up(sys.argv[1]) as environment:
    print(environment.dir, environment["mule"].pid, flush=True)
    if "wait" in sys.argv:
        time.sleep(600)
"""
TELLS_OF_INTERRUPTS = """
import os, signal
def interrupted(number, frame):
    os.write(1, b"interrupted\\n")
    signal.default_int_handler(number, frame)
signal.signal(signal.SIGINT, interrupted)
"""
AT_THE_EXIT = """
import os, sys
from pathlib import Path
from envspec.session.request import Request
from envspec.session.thread import BackgroundSession
session = BackgroundSession(Request(Path(sys.argv[1]), environ=dict(os.environ)))
session.start()
print(session.status().dir, session.status().services["mule"].pid, flush=True)
"""


class Script:
    """A program that runs the stubborn environment."""

    def __init__(self, bench: Bench, code: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, str(bench.file(STUBBORN)), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        directory, mule = self.process.stdout.readline().rsplit(" ", 1)
        self.events = Path(directory) / "events.jsonl"
        self.mule = int(mule)

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def until_it_stops(self) -> None:
        eventually(lambda: '"event": "replica-stopping"' in self.events.read_text())

    def end(self) -> str:
        """Return what it wrote on stderr, once it has ended."""
        return self.process.communicate(timeout=PATIENCE)[1]


@pytest.fixture
def script(bench: Bench, request: pytest.FixtureRequest) -> Iterator[Script]:
    running = Script(bench, *request.param)
    yield running
    running.process.kill()
    running.process.communicate()
    eventually(lambda: is_gone(running.mule))


@pytest.mark.parametrize("script", [(IN_A_BLOCK,), (IN_A_BLOCK, "wait")], indirect=True, ids=["left", "interrupted"])
def test_ctrl_c_during_the_stop_of_a_block_ends_what_runs_by_force(
    script: Script, request: pytest.FixtureRequest
) -> None:
    if "interrupted" in request.node.name:
        script.interrupt()
    script.until_it_stops()
    script.interrupt()
    said = script.end()

    assert said.endswith("\nKeyboardInterrupt: env was ended by force: Ctrl-C came while it was being stopped\n")
    assert said.count("Traceback") == 1
    assert script.process.returncode == -signal.SIGINT
    assert is_gone(script.mule)
    assert script.events.read_text().splitlines()[-1].startswith('{"event": "session-stopped"')


@pytest.mark.parametrize("script", [(AT_THE_EXIT,)], indirect=True, ids=["exit"])
def test_ctrl_c_at_the_exit_of_the_interpreter_is_quick_and_quiet(script: Script) -> None:
    script.until_it_stops()
    script.interrupt()

    assert script.end() == ""
    assert is_gone(script.mule)


@pytest.mark.parametrize("script", [(TELLS_OF_INTERRUPTS + IN_A_BLOCK,)], indirect=True, ids=["thrice"])
def test_one_more_ctrl_c_leaves_at_once_and_the_agent_finishes(script: Script) -> None:
    script.until_it_stops()
    script.interrupt()
    assert script.process.stdout is not None
    assert script.process.stdout.readline() == "interrupted\n"
    script.interrupt()
    said = script.end()

    assert said.endswith("\nKeyboardInterrupt: env was ended by force: Ctrl-C came while it was being stopped\n")
    assert said.count("Traceback") == 1
    eventually(lambda: is_gone(script.mule))
