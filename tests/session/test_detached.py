"""Sessions in a process of their own: `up -d`."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from envspec.agent.wire import decode
from envspec.errors import EnvspecError, ServiceExitedError, SpecError, StoppedError
from envspec.plan import events as e
from envspec.session import registry
from envspec.session.control import Control
from envspec.session.detach import start_detached
from envspec.session.detached import Terms, serve
from envspec.session.session import Session
from envspec.session.state import SOCKET
from tests.session.running import PATIENCE, Bench, eventually, is_gone

SLEEPER = "services: {web: {command: [sleep, '100']}}"
NEVER = "services: {web: {command: [sleep, '100'], health: [{exec: {command: ['false']}}]}}"
FAILING = "services: {web: {command: [sh, -c, 'echo oops; exit 3'], health: [{exec: {command: ['false']}}]}}"


def test_it_lives_on_when_it_is_healthy(bench: Bench) -> None:
    events: list[e.Event] = []
    control = start_detached(bench.request(SLEEPER), events.append)
    try:
        assert isinstance(events[0], e.SessionStarting)
        assert isinstance(events[-1], e.SessionHealthy)
        status = control.status()
        assert status.state == "healthy"
        assert [entry.id for entry in registry.sessions()] == [status.id]
        assert os.getsid(status.pid or 0) == status.pid, "a closed terminal must not reach it"
    finally:
        control.stop("the test is over")
    assert registry.sessions() == []
    eventually(lambda: is_gone(status.pid or 0))


def test_it_outlives_the_process_that_started_it(bench: Bench) -> None:
    code = (
        "import os, sys; from pathlib import Path\n"
        "from envspec.session.detach import start_detached; from envspec.session.request import Request\n"
        "print(start_detached(Request(Path(sys.argv[1]), environ=dict(os.environ))).directory)"
    )
    file = bench.file(SLEEPER)
    started = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True)
    control = Control(Path(started.stdout.strip()))
    assert control.status().state == "healthy"
    control.stop("the test is over")


def test_a_failed_start_raises_here_what_it_raised_there(bench: Bench) -> None:
    events: list[e.Event] = []
    with pytest.raises(ServiceExitedError) as caught:
        start_detached(bench.request(FAILING), events.append)
    assert "│ oops" in str(caught.value)
    assert caught.value.service == "web"
    assert caught.value.details["exit_code"] == 3
    assert isinstance(events[-1], e.SessionFailed)
    assert registry.sessions() == []


def test_a_wrong_file_raises_all_its_findings(bench: Bench) -> None:
    with pytest.raises(SpecError) as caught:
        start_detached(bench.request("services: {web: {comand: [x]}, lib: {comand: [y]}}"))
    assert len(caught.value.diagnostics) >= 2


def test_it_does_not_end_before_its_failure_has_been_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    wait_over = Session.wait_over

    def read(stream: socket.socket) -> list[bytes]:
        with stream, stream.makefile("rb") as lines:
            return list(lines)

    async def scenario() -> bytes:
        over = asyncio.Event()

        async def told(session: Session) -> None:
            await wait_over(session)
            over.set()

        monkeypatch.setattr(Session, "wait_over", told)
        ours, theirs = socket.socketpair()
        ours.settimeout(PATIENCE)
        serving = asyncio.create_task(serve(theirs, bench.request(f"services:\n{mistakes}"), None, Terms()))
        await over.wait()
        for _ in range(5):
            await asyncio.sleep(0)  # it goes on as far as it can while nobody reads
        assert not serving.done()
        lines = await asyncio.to_thread(read, ours)
        await serving
        return lines[0]

    mistakes = "".join(f"  web{number}: {{comand: [x]}}\n" for number in range(2000))
    failure = decode(asyncio.run(scenario()))
    assert len(failure["details"]["diagnostics"]) >= 2000


def test_what_was_kept_after_a_failure_goes_on_until_it_is_stopped(bench: Bench) -> None:
    with pytest.raises(ServiceExitedError):
        start_detached(bench.request(FAILING + "\n", keep_on_failure=True))
    (entry,) = registry.sessions()
    control = Control(entry.directory)
    assert control.status().state == "failed"
    control.stop("looked at")
    assert registry.sessions() == []


def test_it_ends_with_the_process_that_waits_for_it(bench: Bench) -> None:
    code = (
        "import os, sys; from pathlib import Path\n"
        "from envspec.session.detach import start_detached; from envspec.session.request import Request\n"
        "start_detached(Request(Path(sys.argv[1]), environ=dict(os.environ)))"
    )
    starter = subprocess.Popen([sys.executable, "-c", code, str(bench.file(NEVER))])
    eventually(_spawned)
    (pid,) = _spawned()
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    eventually(lambda: is_gone(pid))
    eventually(lambda: registry.sessions() == [])


def test_an_interrupted_wait_takes_it_down_and_sees_that_through(bench: Bench) -> None:
    events: list[e.Event] = []

    def interrupt(event: e.Event) -> None:
        events.append(event)
        if isinstance(event, e.ReplicaSpawned):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start_detached(bench.request(NEVER), interrupt)
    assert isinstance(events[-1], e.SessionStopped)
    (pid,) = [event.pid for event in events if isinstance(event, e.ReplicaSpawned)]
    assert is_gone(pid)


def test_one_that_is_stopped_while_it_starts_says_so(bench: Bench) -> None:
    raised: list[EnvspecError] = []

    def start() -> None:
        try:
            start_detached(bench.request(NEVER))
        except EnvspecError as error:
            raised.append(error)

    starter = threading.Thread(target=start)
    starter.start()
    eventually(_spawned)
    Control(registry.sessions()[0].directory).stop("from elsewhere")
    starter.join()
    assert isinstance(raised[0], StoppedError)
    assert str(raised[0]) == "the environment was stopped before it was healthy (from elsewhere)"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_it_in_order(bench: Bench, number: signal.Signals) -> None:
    control = start_detached(bench.request(SLEEPER))
    pid = control.status().pid or 0
    os.kill(pid, number)
    eventually(lambda: is_gone(pid))
    assert f'"reason": "{number.name}"' in (control.directory / "events.jsonl").read_text()
    assert registry.sessions() == []


def _remove(directory: Path) -> None:
    shutil.rmtree(directory.parent.parent)


def _clean(directory: Path) -> None:
    (directory / SOCKET).unlink()


def _replace(directory: Path) -> None:
    _clean(directory)
    (directory / SOCKET).touch()


@pytest.mark.parametrize("lose", [_remove, _clean, _replace])
def test_one_that_nobody_can_find_any_more_stops_itself(bench: Bench, lose: Callable[[Path], None]) -> None:
    control = start_detached(bench.request(SLEEPER))
    status = control.status()
    pids = [status.pid or 0, status.services["web"].pid or 0]
    lose(control.directory)
    eventually(lambda: all(map(is_gone, pids)))


def _spawned() -> list[int]:
    for entry in registry.sessions():
        status = Control(entry.directory).status()
        return [replica.pid for replica in status.services.values() if replica.pid is not None]
    return []
