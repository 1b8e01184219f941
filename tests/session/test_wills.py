"""A process that dies within a fault of its own leaves a session that others use as well: the fault ends with it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from envspec.plan import events as e
from envspec.plan.fault import Order
from envspec.session import control_server
from envspec.session.control import Control
from envspec.session.live import Environment
from tests.session.running import PATIENCE, Bench, Running

SERVICES = """
services:
  web: {command: [sleep, "100"], replicas: 2, ports: {http: {proxy: true}}}
"""
TEST = """
import sys
from pathlib import Path
from envspec.plan.fault import Fault, Moment, Order
from envspec.session.control import Control
from envspec.session.fault_run import FaultRun
from envspec.session.live import Environment

control = Control(Path(sys.argv[1]))
web = Environment(control)["web.1"]
{body}
"""
WITH = "with web.{fault}:\n    print('within', flush=True)\n    sys.stdin.read()"
MARKER = "FaultRun(control, [Fault(Moment(), Order('pause', 'web.1'))])\nprint('within', flush=True)\nsys.stdin.read()"
FAULTS = [
    (WITH.format(fault="paused()"), "pause", "resume"),
    (WITH.format(fault="stopped()"), "stop", "start"),
    (WITH.format(fault="endpoint().drop()"), "drop", "heal"),
    (MARKER, "pause", "resume"),
]


@pytest.fixture
def session(bench: Bench) -> Running:
    return bench.session(SERVICES).up()


@contextmanager
def another_process(session: Running, body: str) -> Iterator[subprocess.Popen[str]]:
    """Run a test elsewhere, as a worker of xdist does."""
    argv = [sys.executable, "-c", TEST.format(body=body), session.background.status().dir]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "within\n"
        yield process
        process.kill()


@pytest.mark.parametrize(("body", "fault", "end"), FAULTS)
def test_a_fault_ends_with_the_process_that_is_within_it(session: Running, body: str, fault: str, end: str) -> None:
    with another_process(session, body) as process:
        session.wait(e.FaultOrdered, action=fault, replica="web.1")
        process.kill()
        session.wait(e.FaultOrdered, action=end, replica="web.1")
    session.background.fault("restart", "web.0")  # behind which everything of before has been done
    assert len(session.of(e.FaultOrdered, action=end)) == 1
    assert not session["web.1"].paused


def test_what_a_body_has_undone_is_not_undone_when_its_process_ends(session: Running) -> None:
    live = Environment(Control(Path(session.background.status().dir)))
    with live["web.0"].paused(), live["web.1"].endpoint().drop():
        pass
    live["web.0"].pause()
    with another_process(session, "web.pause()\nprint('within', flush=True)"):
        pass
    session.background.fault("restart", "web.1")
    assert session["web.0"].paused
    assert len(session.of(e.FaultOrdered, action="resume")) == 1
    assert len(session.of(e.FaultOrdered, action="heal")) == 1


def test_a_session_that_ends_waits_for_no_will(session: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_server, "LAST_WORDS", 3600.0)
    take_back = Control(Path(session.background.status().dir)).leave_will([Order("resume", "web.1")])
    stopping = threading.Thread(target=session.stop)
    stopping.start()
    stopping.join(PATIENCE)
    is_over = not stopping.is_alive()
    take_back()
    assert is_over
