"""Ctrl-C in a test run whose environment takes its time to stop."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PATIENCE = 30.0
STUBBORN = """
version: 1
services:
  mule:
    shell: trap '' TERM; echo up; while true; do sleep 0.05; done
    health: [{log: {match: up}}]
    stop: {timeout: 600s}
"""


class Run:
    """A run of pytest, and what it says."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "--env=stubborn", "-s", "-p", "no:timeout", "-p", "no:cacheprovider"],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.said = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                self.said += line

    def until(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while text not in self.said:
            assert time.monotonic() < deadline, f"{text!r} in {self.said}"
            time.sleep(0.02)

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self._reader.join()


@pytest.fixture
def run(pytester: pytest.Pytester, request: pytest.FixtureRequest) -> Iterator[Run]:
    (pytester.mkdir("environments") / "stubborn.yaml").write_text(STUBBORN)
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\n")
    pytester.makepyfile(f"import time\ndef test_it(environment):\n    print('here', flush=True)\n    {request.param}\n")
    running = Run(pytester.path)
    yield running
    running.process.kill()
    running.end()


WAITING = "envspec: stopping stubborn: waiting for mule (up to 10 min 0 s)\n"
FORCED = "envspec: stubborn was ended by force: Ctrl-C came while it was being stopped\n"


@pytest.mark.parametrize("run", ["time.sleep(600)"], indirect=True)
def test_a_second_ctrl_c_ends_by_force_what_the_first_one_stops(run: Run) -> None:
    run.until("here")
    run.interrupt()
    run.until(WAITING)
    run.interrupt()

    assert run.end() == pytest.ExitCode.INTERRUPTED
    assert run.said.count(WAITING) == 1
    assert FORCED in run.said
    assert "Traceback" not in run.said


@pytest.mark.parametrize("run", ["pass"], indirect=True)
def test_the_first_one_does_where_the_tests_are_done(run: Run) -> None:
    run.until(WAITING)
    run.interrupt()

    assert run.end() == pytest.ExitCode.INTERRUPTED
    assert FORCED in run.said
    assert "1 passed" in run.said
