"""Which ends of a process are the user's doing, and which are crashes."""

from __future__ import annotations

import os
import signal

import pytest

from envspec.plan import events as e
from envspec.plan.plan import Stop
from envspec.session.aftermath import ON_RESUME, Aftermath
from envspec.session.attempt import Exit
from tests.session.running import Bench, Running, eventually

CHILD = 4711
PATIENT = Stop("TERM", 30.0)


def died(of: str) -> Exit:
    return Exit(pid=1, exit_code=None, signal=of, at=0.0)


def exited(code: int) -> Exit:
    return Exit(pid=1, exit_code=code, signal=None, at=0.0)


def test_nothing_is_explained_where_nothing_was_ordered() -> None:
    aftermath = Aftermath()
    assert not aftermath.explains(died("SIGKILL"), 0.0)
    assert not aftermath.explains(exited(0), 0.0)
    assert not aftermath.explains(None, 0.0)


@pytest.mark.parametrize("sent", ["KILL", "TERM", "USR1", "WINCH", "IOT"])
def test_a_death_by_the_signal_that_was_ordered_is_so_at_any_time(sent: str) -> None:
    aftermath = Aftermath()
    aftermath.sent(sent, 0.0)
    assert aftermath.explains(died("SIGABRT" if sent == "IOT" else f"SIG{sent}"), 1000.0)


@pytest.mark.parametrize("ending", ["TERM", "HUP", "INT", "SEGV"])
def test_a_signal_that_ends_explains_any_end_within_the_stop_timeout(ending: str) -> None:
    aftermath = Aftermath(PATIENT)
    aftermath.sent(ending, 100.0)
    for end in (exited(0), exited(3), died("SIGPIPE"), None):
        assert aftermath.explains(end, 130.0)
        assert not aftermath.explains(end, 130.1)


def test_a_stop_timeout_that_has_it_killed_soon_says_nothing_of_how_long_it_takes() -> None:
    aftermath = Aftermath(Stop("TERM", 0.1))
    aftermath.sent("TERM", 0.0)
    assert aftermath.explains(exited(0), 5.0)


@pytest.mark.parametrize("word", ["WINCH", "USR1", "USR2", "CONT", "CHLD"])
def test_a_signal_that_ends_nothing_explains_no_other_end(word: str) -> None:
    aftermath = Aftermath()
    aftermath.sent(word, 0.0)
    assert not aftermath.explains(died("SIGSEGV"), 0.1)
    assert not aftermath.explains(exited(1), 0.1)


def test_the_signal_by_which_a_service_is_stopped_ends_it() -> None:
    aftermath = Aftermath(Stop("USR1", 10.0))
    aftermath.sent("USR1", 0.0)
    assert aftermath.explains(exited(0), 9.0)


def test_whatever_comes_of_a_pause_may_show_shortly_after_it() -> None:
    aftermath = Aftermath()
    aftermath.sent("STOP", 0.0)
    assert aftermath.explains(died("SIGSEGV"), 5000.0)
    assert aftermath.explains(None, 5000.0)
    aftermath.sent("CONT", 5000.0)
    assert aftermath.explains(exited(1), 5000.0 + ON_RESUME)
    assert not aftermath.explains(exited(1), 5000.1 + ON_RESUME)


def test_a_child_that_is_killed_may_take_its_parent_with_it() -> None:
    aftermath = Aftermath(PATIENT)
    aftermath.sent("KILL", 0.0, CHILD)
    assert aftermath.explains(exited(1), 30.0)
    assert not aftermath.explains(exited(1), 30.1)
    assert not aftermath.explains(died("SIGKILL"), 30.1)  # not what the process itself was sent


def test_a_paused_child_is_a_pause_until_it_goes_on_or_is_killed() -> None:
    aftermath = Aftermath()
    aftermath.sent("STOP", 0.0, CHILD)
    aftermath.sent("CONT", 1.0, CHILD + 1)
    assert aftermath.explains(exited(1), 100.0)
    aftermath.sent("KILL", 100.0, CHILD)
    assert not aftermath.explains(exited(1), 200.0)


def test_a_process_that_goes_on_takes_its_children_along_and_not_the_other_way() -> None:
    aftermath = Aftermath()
    aftermath.sent("STOP", 0.0)
    aftermath.sent("CONT", 1.0, CHILD)
    assert aftermath.explains(exited(1), 100.0)
    aftermath.sent("STOP", 100.0, CHILD)
    aftermath.sent("CONT", 100.0)
    assert not aftermath.explains(exited(1), 200.0)


def test_liveness_takes_its_time_to_notice_what_was_ordered() -> None:
    aftermath = Aftermath(PATIENT, deaf=60.0)
    aftermath.sent("KILL", 0.0, CHILD)
    assert aftermath.explains(None, 90.0)
    assert not aftermath.explains(None, 90.1)
    assert not aftermath.explains(exited(1), 90.0)


DEAF = """
services:
  web: {command: [sh, -c, "trap 'echo heard' USR1 HUP; while :; do sleep 0.02; done"]}
"""


@pytest.fixture
def session(bench: Bench) -> Running:
    return bench.session(DEAF).up()


def crash(session: Running) -> e.ReplicaExited:
    os.kill(session["web"].pid or 0, signal.SIGSEGV)
    return session.wait(e.ReplicaExited)


def test_a_crash_after_a_signal_that_was_survived_is_a_crash(session: Running) -> None:
    session.background.fault("kill", "web", "USR1")
    eventually(lambda: "heard" in session.log("web"))
    ended = crash(session)
    assert (ended.signal, ended.ordered, ended.expected) == ("SIGSEGV", False, False)
    assert session.wait(e.ReplicaFailed).message.startswith("web died of SIGSEGV ")


def test_a_crash_long_after_a_pause_is_a_crash(session: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envspec.session.aftermath.ON_RESUME", -1.0)  # what is now is long after
    session.background.fault("pause", "web")
    session.background.fault("resume", "web")
    ended = crash(session)
    assert (ended.ordered, ended.expected) == (False, False)


def test_a_crash_soon_after_a_resume_comes_of_the_pause(session: Running) -> None:
    session.background.fault("pause", "web")
    session.background.fault("resume", "web")
    assert crash(session).ordered
    session.wait(e.SessionDegraded)
    assert session.of(e.ReplicaFailed) == []
