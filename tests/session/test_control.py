"""The control socket: what other processes of the same user can ask and order."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from envspec.errors import BackendError, EnvspecError, SessionOverError, StoppedError, UsageError
from envspec.plan import events as e
from envspec.session.control import Control
from envspec.session.unix_socket import LONGEST_PATH, connect
from tests.session.running import Bench, Owner, Running, eventually, is_gone

PAIR = """
services:
  store: {command: [sh, -c, "echo hello; exec sleep 100"], ports: {http: auto, block: {count: 2}}}
  front: {command: [sleep, "100"], depends_on: [store]}
"""

ONCE = """
services:
  once: {command: [sh, -c, "mkdir born && echo ready; exec sleep 100"], health: [{log: {match: ready}}]}
"""


@pytest.fixture
def session(bench: Bench) -> Running:
    return bench.session(PAIR).up()


@pytest.fixture
def control(session: Running) -> Control:
    return Control(Path(session.background.status().dir))


def test_the_status_is_the_sessions_own(session: Running, control: Control) -> None:
    assert control.status() == session.background.status()


def test_a_log_is_read_in_pieces_and_from_its_end(session: Running, control: Control) -> None:
    eventually(lambda: session.log("store") == "hello\n")
    assert control.read_log("store", 0, 3) == (b"hel", 3)
    assert control.read_log("store", 3, 100) == (b"lo\n", 6)
    assert control.read_log("store", 6, 100) == (b"", 6)
    chunk = control.log("store", -2, 100)
    assert (chunk.data, chunk.offset, chunk.size) == (b"o\n", 4, 6)


def test_faults_are_done_when_the_call_returns(session: Running, control: Control) -> None:
    states = []
    for action in ("kill", "start", "stop"):
        control.fault(action, "store")
        states.append(session["store"].state)
    assert states == ["exited", "healthy", "stopped"]
    with pytest.raises(UsageError, match="no service 'stroe'") as caught:
        control.fault("kill", "stroe")
    assert caught.value.hint == "it has: store, front"


def test_events_come_from_the_first_to_the_last(session: Running, control: Control) -> None:
    heard: list[e.Event] = []
    listener = threading.Thread(target=lambda: heard.extend(control.events()))
    listener.start()
    with Control(control.directory) as other:
        other.stop("the test says so")
    listener.join()
    assert heard == session.events
    assert isinstance(heard[0], e.SessionStarting)
    assert isinstance(heard[-1], e.SessionStopped)


def test_stop_returns_when_nothing_runs_any_more(session: Running, control: Control) -> None:
    pids = [event.pid for event in session.of(e.ReplicaSpawned)]
    control.stop("enough")
    assert all(map(is_gone, pids))
    assert session.of(e.SessionStopping)[0].reason == "enough"
    with pytest.raises(UsageError, match="does not answer"):
        control.status()


def test_a_start_that_is_stopped_from_elsewhere_says_so(bench: Bench) -> None:
    session = bench.session("services: {web: {command: [sleep, '1'], health: [{exec: {command: ['false']}}]}}").begin()
    directory = Path(session.wait(e.SessionStarting).directory)
    session.wait(e.ReplicaSpawned)
    Control(directory).stop("changed my mind")
    session.join()
    assert isinstance(session.error, StoppedError)
    assert str(session.error) == "env was stopped before it was healthy (changed my mind)"


def test_a_directory_deeper_than_a_socket_path_may_be(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = bench.path / ("d" * 60) / ("e" * 60)
    monkeypatch.setenv("ENVSPEC_STATE_DIR", str(deep))
    session = bench.session(PAIR).up()
    directory = Path(session.background.status().dir)
    assert len(str(directory / "control.sock")) > LONGEST_PATH
    assert Control(directory).status().state == "healthy"


def test_a_client_that_talks_nonsense_or_leaves_hurts_nobody(control: Control) -> None:
    for nonsense in (b"", b"\n", b"GET / HTTP/1.1\r\n\r\n", b"[1]\n", b'{"do": "dance"}\n', b"x" * 100_000):
        with connect(control.directory / "control.sock") as line:
            line.sendall(nonsense)
    assert control.status().state == "healthy"


def test_a_request_with_something_missing_is_refused_in_words(control: Control) -> None:
    with pytest.raises(UsageError, match="'replica'"):
        control._ask("log")
    assert control.status().state == "healthy"


def test_who_waits_for_an_answer_hears_of_a_session_whose_process_was_killed(bench: Bench) -> None:
    told: list[BaseException] = []

    def restart(control: Control) -> None:
        try:
            control.fault("restart", "once")
        except BaseException as error:  # noqa: BLE001  whatever it is, it is what is asked for here
            told.append(error)

    with Owner(bench, ONCE) as owner:
        control = Control(next(bench.state.glob("sessions/env-*")))
        waiting = threading.Thread(target=restart, args=[control])
        waiting.start()
        eventually(lambda: control.status().services["once"].starts == 2)
        owner.kill()
        waiting.join()
    assert [(type(error), str(error)) for error in told] == [
        (SessionOverError, f"the session {control.directory.name} ended before it answered")
    ]
    assert isinstance(told[0], SessionOverError)
    assert told[0].exit_code == 2
    assert str(control.directory) in told[0].hint


def test_who_waits_for_an_answer_is_told_why_the_session_was_stopped(bench: Bench) -> None:
    session = bench.session(ONCE).up()
    control = Control(Path(session.background.status().dir))

    def lose_the_agent() -> None:
        session.wait_count(e.ReplicaSpawned, 2)
        os.kill(json.loads((control.directory / "processes.json").read_text("utf-8"))["agent"]["pid"], signal.SIGKILL)

    killer = threading.Thread(target=lose_the_agent)
    killer.start()
    with pytest.raises(EnvspecError, match=r"before this was done: restart once \(the agent is gone\)"):
        control.fault("restart", "once")
    killer.join()


def test_an_answer_that_was_cut_short_is_none(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "control.sock"))
        listener.listen()

        def answer_half() -> None:
            with listener.accept()[0] as line:
                line.recv(65536)
                line.sendall(b'{"ok": {"id": "env')

        threading.Thread(target=answer_half).start()
        with pytest.raises(SessionOverError, match="ended before it answered"):
            Control(tmp_path).status()


def stands_still(pid: int) -> bool:
    """A signal that stops a process of several threads takes its time."""
    states = (
        task.joinpath("stat").read_text().rpartition(")")[2].split()[0] for task in Path(f"/proc/{pid}/task").iterdir()
    )
    return set(states) == {"T"}


def test_who_listens_hears_of_a_session_whose_process_was_killed(bench: Bench) -> None:
    heard: list[e.Event] = []
    with Owner(bench, PAIR) as owner:
        Control(next(bench.state.glob("sessions/env-*"))).subscribe(heard.append)
        eventually(lambda: any(isinstance(event, e.SessionHealthy) for event in heard))
        owner.kill()
        eventually(lambda: any(isinstance(event, e.SessionFailed) for event in heard))
    assert isinstance(heard[-1], e.SessionFailed)
    assert heard[-1].message.endswith("is gone")


def test_events_of_a_session_whose_process_was_killed_end_with_that(bench: Bench) -> None:
    with Owner(bench, PAIR) as owner:
        for event in (events := Control(next(bench.state.glob("sessions/env-*"))).events()):
            if isinstance(event, e.SessionHealthy):
                break
        owner.kill()
        *_, last = events
    assert isinstance(last, e.SessionFailed)
    assert last.message.endswith("is gone")


def test_all_events_of_a_session_are_heard_once(session: Running, control: Control) -> None:
    events = control.events()
    heard = [next(events)]
    session.stop()
    heard += events
    assert isinstance(heard[-1], e.SessionStopped)
    assert [type(event) for event in heard] == [type(event) for event in session.events]


def test_who_listens_to_the_end_hears_it_once(session: Running, control: Control) -> None:
    heard: list[e.Event] = []
    control.subscribe(heard.append)
    session.stop()
    eventually(lambda: not any(thread.name == "envspec events" for thread in threading.enumerate()))
    assert isinstance(heard[-1], e.SessionStopped)


def test_a_session_whose_process_stands_still_is_not_waited_for_for_ever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("envspec.session.control.PATIENCE", 0.2)
    with Owner(bench, PAIR) as owner:
        directory = next(bench.state.glob("sessions/env-*"))
        os.kill(owner.pid, signal.SIGSTOP)
        try:
            eventually(lambda: stands_still(owner.pid))
            for ask in (Control(directory).status, lambda: Control(directory).stop("enough")):
                with pytest.raises(BackendError, match="does not answer: it is stopped") as caught:
                    ask()
                assert f"kill -CONT {owner.pid}" in caught.value.hint
        finally:
            os.kill(owner.pid, signal.SIGCONT)
