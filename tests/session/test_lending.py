"""Sessions are lent from one user to the next: verified, reset, one at a time, and ended when nobody wants them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from envspec.agent import tree
from envspec.agent.identity import stat_fields
from envspec.errors import ServiceExitedError
from envspec.plan import events as e
from envspec.report.recorded import read_events
from envspec.session import registry
from envspec.session.detach import start_detached, start_lent
from envspec.session.lending import Loan, borrow
from envspec.session.state import EVENTS
from envspec.session.unix_socket import connect
from tests.session.lent import LONG, Lent, status
from tests.session.running import eventually, is_gone

WEB = "services: {web: {use: http-server}}"


def test_one_that_is_what_would_be_started_is_lent_and_left_running(lent: Lent) -> None:
    request = lent.bench.request(WEB)
    control = start_detached(request)
    pid = status(control).services["web"].pid
    loan = lent.borrow(request)
    assert loan.control.directory == control.directory
    assert status(loan).lent_to == "a test"
    loan.close()
    eventually(lambda: not status(control).lent_to)
    assert status(control).state == "healthy"
    assert status(control).services["web"].pid == pid
    assert status(control).ends is None, "one that somebody started by hand has no end of its own"
    assert lent.told == []


def test_where_nothing_of_that_environment_runs_nothing_is_said(lent: Lent) -> None:
    start_detached(lent.bench.request(WEB, "other"))
    assert lent.refused(lent.bench.request(WEB)) == []


def test_a_session_that_belongs_to_another_process_is_not_lent(lent: Lent) -> None:
    session = lent.bench.session(WEB).up()
    assert lent.refused(session.request) == []


def test_one_that_differs_is_left_alone_and_it_is_said_in_what(lent: Lent) -> None:
    text = "vars: {word: one}\nservices: {web: {use: http-server, env: {WORD: '{{ vars.word }}'}}}"
    control = start_detached(lent.bench.request(text))
    assert lent.refused(lent.bench.request(text, sets={"word": "two"})) == [
        f"{control.directory.name} is not used: it differs from what would be started now",
        "  services.web.env.WORD: one → two",
    ]
    assert status(control).state == "healthy"


def test_of_long_values_the_place_is_shown_where_they_differ(lent: Lent) -> None:
    words = " ".join(f"--flag-{number} some-value" for number in range(8))
    text = f"services: {{web: {{command: [sh, -c, 'exec sleep 100', {words.replace(' ', ', ')}]}}}}"
    start_detached(lent.bench.request(text))
    _, line = lent.refused(lent.bench.request(text.replace("flag-5", "flag-five")))
    assert line == "  services.web.argv: …--flag-5… → …--flag-five…"


def test_many_differences_are_counted(lent: Lent) -> None:
    variables = ", ".join(f"WORD_{number}: one" for number in range(20))
    text = f"services: {{web: {{use: http-server, env: {{{variables}}}}}}}"
    start_detached(lent.bench.request(text))
    told = lent.refused(lent.bench.request(text.replace("one", "two")))
    assert len(told) == 10
    assert told[-1] == "  and 12 more"


def test_nobody_borrows_what_is_lent(lent: Lent) -> None:
    request = lent.bench.request(WEB)
    control = start_detached(request)
    first = lent.borrow(request)
    assert lent.refused(request) == [f"{control.directory.name} is not used: it is lent to a test"]
    first.close()
    eventually(lambda: not status(control).lent_to)
    lent.borrow(request).close()


def test_of_many_who_ask_at_once_one_gets_it(lent: Lent) -> None:
    slow = (
        "services: {web: {use: http-server, reset: [{exec: {shell: 'while ! [ -e $BENCH/go ]; do sleep 0.01; done'}}]}}"
    )
    request = lent.bench.request(slow)
    start_detached(request)
    loans: list[Loan | None] = []
    askers = [threading.Thread(target=lambda: loans.append(borrow(request, "one", lent.told.append))) for _ in range(4)]
    for asker in askers:
        asker.start()
    eventually(lambda: loans.count(None) == 3)
    lent.bench.touch("go")
    for asker in askers:
        asker.join()
    (loan,) = [loan for loan in loans if loan is not None]
    assert [line.partition(": ")[2] for line in lent.told] == ["it is lent to one"] * 3
    loan.close()


def test_a_user_that_is_killed_has_given_it_back_even_if_a_child_of_it_lives(lent: Lent) -> None:
    request = lent.bench.request(WEB)
    control = start_detached(request)
    code = (
        "import os, sys, time; from pathlib import Path\n"
        "from envspec.session.lending import borrow; from envspec.session.request import Request\n"
        "loan = borrow(Request(Path(sys.argv[1]), environ=dict(os.environ)), 'a child', print)\n"
        "child = os.fork()\n"
        "print(child, flush=True) if child else None\n"
        "time.sleep(600)"
    )
    environ = {**os.environ, **{key: request.environ[key] for key in ("BENCH",)}}
    user = subprocess.Popen(
        [sys.executable, "-c", code, str(request.file)], stdout=subprocess.PIPE, text=True, env=environ
    )
    assert user.stdout is not None
    child = int(user.stdout.readline())
    try:
        assert status(control).lent_to == "a child"
        user.kill()
        eventually(lambda: not status(control).lent_to)
        assert not is_gone(child)
        lent.borrow(request).close()
    finally:
        os.kill(child, signal.SIGKILL)
        user.wait()
        user.stdout.close()


def test_one_that_is_started_to_be_lent_is_lent_from_its_beginning(lent: Lent) -> None:
    events: list[e.Event] = []
    loan = start_lent(lent.bench.request(WEB), "the first", LONG, events.append)
    assert isinstance(events[-1], e.SessionHealthy)
    eventually(lambda: status(loan).lent_to == "the first")
    assert status(loan).ends is None
    assert lent.refused(lent.bench.request(WEB))
    loan.close()
    eventually(lambda: status(loan).ends is not None)
    assert not status(loan).lent_to
    second = lent.borrow(lent.bench.request(WEB))
    assert second.control.directory == loan.control.directory
    assert status(second).ends is None
    second.close()


def test_it_ends_when_nobody_has_used_it_for_so_long(lent: Lent) -> None:
    loan = start_lent(lent.bench.request(WEB), "the first", LONG)
    loan.close()
    eventually(lambda: status(loan).ends is not None)
    again = lent.borrow(lent.bench.request(WEB), ttl=0.05)
    pid = status(again).pid
    again.close()
    eventually(lambda: registry.sessions() == [])
    eventually(lambda: is_gone(pid or 0))
    assert "nobody used it for 50 ms" in (loan.control.directory / "events.jsonl").read_text()


def test_as_long_as_somebody_uses_it_its_time_does_not_run(lent: Lent) -> None:
    loan = start_lent(lent.bench.request(WEB), "the first", 0.01)
    marker = start_lent(lent.bench.request(WEB, "other"), "the first", 0.01)
    marker.close()
    eventually(lambda: [entry.id for entry in registry.sessions()] == [loan.control.directory.name])
    assert status(loan).state == "healthy"
    loan.close()
    eventually(lambda: registry.sessions() == [])


def test_a_start_that_fails_is_nobodys(lent: Lent) -> None:
    with pytest.raises(ServiceExitedError):
        start_lent(lent.bench.request("services: {web: {command: ['false']}}"), "the first", LONG)
    assert registry.sessions() == []


def test_down_takes_away_what_is_lent(lent: Lent) -> None:
    loan = start_lent(lent.bench.request(WEB), "the first", LONG)
    loan.control.stop("envspec down")
    assert registry.sessions() == []
    loan.close()


HEALTH = "services: {web: {use: http-server, health: [{exec: {shell: '! [ -e $BENCH/ill ]'}}], replicas: 2}}"


def test_one_that_is_not_healthy_any_more_is_not_lent(lent: Lent) -> None:
    request = lent.bench.request(HEALTH)
    control = start_detached(request)
    lent.bench.touch("ill")
    (line,) = lent.refused(request)
    assert line.startswith(
        f"{control.directory.name} is not used: web.0 is not healthy any more: services.web.health[0]"
    )


def test_one_that_lost_a_service_is_not_lent(lent: Lent) -> None:
    request = lent.bench.request(WEB)
    control = start_detached(request)
    control.fault("kill", "web")
    eventually(lambda: status(control).state == "degraded")
    (line,) = lent.refused(request)
    assert line.startswith(f"{control.directory.name} is not used: it is degraded: web")


def test_one_that_faults_were_ordered_for_is_not_lent(lent: Lent) -> None:
    text = "faults: [{after: healthy + 1h, pause: web}]\nservices: {web: {use: http-server}}"
    request = lent.bench.request(text)
    control = start_detached(request)
    assert lent.refused(request) == [
        f"{control.directory.name} is not used: the faults of the file have happened to it"
    ]


@pytest.mark.parametrize("fault", [("pause", "KILL", ""), ("kill", "STOP", ""), ("kill_child", "STOP", "sleep 1001")])
def test_what_the_last_user_left_paused_goes_on_for_the_next(lent: Lent, fault: tuple[str, str, str]) -> None:
    action, sent, child = fault
    request = lent.bench.request("services: {web: {command: [sh, -c, 'sleep 1001 & wait']}}")
    control = start_detached(request)
    pid = status(control).services["web"].pid or 0
    eventually(lambda: tree.descendants(pid), "a child")
    control.fault(action, "web", sent, child=child)
    loan = lent.borrow(request)
    assert all(stat_fields(one)[0] != "T" for one in [pid, *tree.descendants(pid)])
    assert not status(loan).services["web"].paused
    told = [event.message for event in read_events(control.directory / EVENTS) if isinstance(event, e.Warned)]
    assert told == ["web was still paused, and goes on now"]
    loan.close()


def test_one_that_hangs_is_not_lent(lent: Lent) -> None:
    text = "services: {web: {use: http-server, health: [{http: {port: http, path: /, timeout: 100ms}}]}}"
    request = lent.bench.request(text)
    control = start_detached(request)
    pid = status(control).services["web"].pid or 0
    os.kill(pid, signal.SIGSTOP)
    (line,) = lent.refused(request)
    assert "web is not healthy any more" in line
    os.kill(pid, signal.SIGCONT)


def test_one_that_still_starts_is_not_lent(lent: Lent) -> None:
    text = "services: {web: {use: http-server, health: [{exec: {shell: '[ -e $BENCH/go ]'}}]}}"
    request = lent.bench.request(text)
    starter = threading.Thread(target=start_detached, args=(request,))
    starter.start()
    eventually(registry.sessions)
    (entry,) = registry.sessions()
    eventually((entry.directory / "identity.json").exists)
    (line,) = lent.refused(request)
    assert line.startswith(f"{entry.id} is not used: ")
    lent.bench.touch("go")
    starter.join()


def test_a_request_without_sense_is_answered(lent: Lent) -> None:
    control = start_detached(lent.bench.request(WEB))
    with connect(control.directory / "control.sock") as connection:
        connection.sendall(b'{"do": "lend"}\n')
        assert b"its identity is" in connection.recv(65536)


def test_a_plan_is_remembered_for_the_next_who_borrows(lent: Lent) -> None:
    request = lent.bench.request(WEB)
    start_detached(lent.bench.request(WEB, environ={"ANOTHER_TERMINAL": "yes"}))
    plans = Path(lent.bench.path / "cache" / "plans")
    eventually(lambda: len(list(plans.glob("*.json"))) == 1)
    lent.borrow(request).close()
    assert len(list(plans.glob("*.json"))) == 2
