"""A session in a thread: what interpreters and forks do to it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from envspec.errors import SessionOverError, UsageError
from envspec.plan import events as e
from envspec.session.live import Environment
from envspec.session.request import Request
from envspec.session.thread import BackgroundSession
from tests.session.running import Bench, eventually, is_gone

SLEEPER = "services: {web: {command: [sleep, '100']}}"
PROGRAM = """
import os, sys
from pathlib import Path
from envspec.session.request import Request
from envspec.session.thread import BackgroundSession
session = BackgroundSession(Request(Path(sys.argv[1]), environ=dict(os.environ)))
session.start()
print(session.status().dir, flush=True)
"""


def test_it_is_stopped_in_order_when_the_interpreter_exits(bench: Bench) -> None:
    file = bench.file(SLEEPER)
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(file)], capture_output=True, text=True, check=True)
    events = (Path(done.stdout.strip()) / "events.jsonl").read_text()
    assert '"reason": "the interpreter exits"' in events
    assert events.splitlines()[-1].startswith('{"event": "session-stopped"')
    assert done.stderr == ""


def test_a_forked_child_neither_stops_it_nor_keeps_it_alive(bench: Bench) -> None:
    session = bench.session(SLEEPER).up()
    web = session["web"].pid or 0
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        session.background.stop("from the child", force=True)
        try:
            session.background.fault("kill", "web")
        except UsageError:
            os.read(reading, 1)  # lives until the parent has seen what it wants to see
        os._exit(0)
    os.close(reading)
    try:
        assert not is_gone(web)
        session.background.stop("now", force=True)  # by the end of the stream, which the child must not hold
        assert is_gone(web)
    finally:
        os.close(writing)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


SPEAKER = "services: {web: {shell: 'echo up; exec sleep 100', health: [{log: {match: up}}]}}"


@pytest.mark.parametrize("action", ["kill", "restart"])
def test_one_that_is_over_says_so_and_its_logs_can_still_be_read(bench: Bench, action: str) -> None:
    session = bench.session(SPEAKER).up()
    web = Environment(session.background)["web"]
    session.stop()

    assert web.logs() == "up\n"
    with pytest.raises(SessionOverError) as caught:
        getattr(web, action)()
    assert str(caught.value) == f"the session {session.background.status().id} is over"
    assert session.background.status().dir in caught.value.hint


def test_a_forked_child_can_read_and_is_told_that_faults_are_not_its_own(bench: Bench) -> None:
    session = bench.session(SPEAKER).up()
    web = Environment(session.background)["web"]
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(writing, f"{web.logs()}|{web.state}|".encode())
            web.kill()
        except SessionOverError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)

    session_id = session.background.status().id
    assert os.read(reading, 1000).decode().split("|") == [
        "up\n",
        "healthy",
        f"the session {session_id} belongs to the process {os.getpid()}, which this one was forked from",
    ]
    os.close(reading)


def test_the_stream_ends_with_its_owner_also_while_a_forked_child_lives(bench: Bench) -> None:
    program = PROGRAM + (
        "import signal\n"
        "if (child := os.fork()) == 0:\n    os.close(1)\n    signal.pause()\n"
        "print(child, session.status().services['web'].pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    owner = subprocess.run(
        [sys.executable, "-c", program, str(bench.file(SLEEPER))], stdout=subprocess.PIPE, text=True, check=False
    )
    child, web = map(int, owner.stdout.splitlines()[1].split())
    try:
        eventually(lambda: is_gone(web))
        assert not is_gone(child)
    finally:
        os.kill(child, 9)


def test_what_it_says_of_a_backend_that_does_not_exist(bench: Bench) -> None:
    with pytest.raises(UsageError, match="no backend 'moon'") as caught:
        BackgroundSession(bench.request(SLEEPER, backend="moon")).start()
    assert caught.value.hint == "there are: local"


def test_whoever_subscribes_late_and_is_slow_has_heard_everything_when_the_stop_returns(bench: Bench) -> None:
    session = bench.session(SLEEPER).up()
    late: list[e.Event] = []

    def hear_slowly(event: e.Event) -> None:
        time.sleep(0.02)
        late.append(event)

    session.background.subscribe(hear_slowly)
    session.stop()
    assert late == session.events


def test_a_subscriber_that_stops_the_session_itself_does_not_wait_for_itself(bench: Bench) -> None:
    session = bench.session(SLEEPER).up()
    stopped = threading.Event()

    def stop_at_once(event: e.Event) -> None:
        if isinstance(event, e.SessionHealthy):
            session.background.stop()
            stopped.set()

    session.background.subscribe(stop_at_once)
    assert stopped.wait(30)


def test_stopping_what_never_started_does_nothing(bench: Bench) -> None:
    BackgroundSession(Request(bench.file(SLEEPER))).stop("never mind")
