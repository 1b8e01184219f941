"""A service that dies while tests run: the running test fails at once and names it, and so do those that follow."""

from __future__ import annotations

import re

import pytest

PAIR = """
version: 1
services:
  worker: {command: [sleep, "1000"], replicas: 2}
  mortal: {command: [sleep, "1000"], restart: {on: failure}}
  watched:
    command: [sleep, "1000"]
    cwd: "{{ replica.dir }}"
    shell: touch alive; exec sleep 1000
    health: [{exec: {shell: test -e alive}}]
    liveness: {every: 100ms, failures: 1}
"""

HELP = """
import os, pathlib, signal, socket, threading, time
import pytest

def kill(environment, name, after=0.2, number=signal.SIGKILL):
    threading.Timer(after, os.kill, (environment[name].pid, number)).start()

def block():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).recv(1)
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    text = PAIR.replace('    command: [sleep, "1000"]\n    cwd: "{{ replica.dir }}"\n', "")
    (pytester.mkdir("environments") / "pair.yaml").write_text(text)
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\naddopts = ['-p', 'no:cacheprovider', '--timeout=30']\n")
    return pytester


def run(project: pytest.Pytester, tests: str, *options: str) -> pytest.RunResult:
    project.makepyfile(HELP + tests)
    return project.runpytest_subprocess("--env=pair", *options)


def text_of(result: pytest.RunResult) -> str:
    return result.stdout.str()


BLOCKED = """
def test_x(environment):
    kill(environment, "worker.1")
    block()

def test_next(environment):
    raise AssertionError("must not run")

def test_without():
    pass
"""


def test_a_blocked_test_fails_and_names_the_service_and_what_follows_errors_at_once(project: pytest.Pytester) -> None:
    result = run(project, BLOCKED)

    result.assert_outcomes(failed=1, errors=1, passed=1)
    result.stdout.re_match_lines(
        [
            r"environment pair is broken since \S+::test_x: services\.worker\.1 died of SIGKILL, sender unknown$",
            r"E +EnvironmentBroken: services\.worker\.1 died of SIGKILL, sender unknown, [\d.]+ m?s into test_x$",
        ]
    )


def test_the_next_test_gets_a_fresh_environment_where_that_was_asked_for(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
seen = []

@pytest.fixture
def known(environment):
    return environment.id

def test_x(environment, known):
    seen.append(known)
    kill(environment, "worker.1")
    block()

def test_next(environment, known):
    assert known not in seen
    assert {replica.state for replica in environment["worker"].replicas} == {"healthy"}
""",
        "--env-on-crash=restart",
    )

    result.assert_outcomes(failed=1, passed=1)


def test_every_worker_is_told_of_its_own_test(project: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    result = run(
        project,
        """
@pytest.mark.parametrize("number", range(2))
def test_x(environment, number, testrun_uid):
    here = pathlib.Path(os.environ["ENVSPEC_STATE_DIR"])
    (here / f"{testrun_uid}.{number}").touch()
    while not (here / f"{testrun_uid}.{1 - number}").exists():
        time.sleep(0.01)
    if number == 0:
        kill(environment, "worker.0")
    block()
""",
        "-n2",
    )

    result.assert_outcomes(failed=2)
    told = re.findall(r"E +EnvironmentBroken: services\.worker\.0 died of SIGKILL, .* into (\S+)", text_of(result))
    assert sorted(told) == ["test_x[0]", "test_x[1]"]


def test_the_loss_of_the_whole_environment_is_told_in_every_process(project: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    result = run(
        project,
        """
def test_x(environment):
    import json
    agents = json.loads((environment.dir / "processes.json").read_text())
    for half in ("guardian", "agent"):
        os.kill(agents[half]["pid"], signal.SIGKILL)
    block()
""",
        "-n1",
    )

    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines([r"E +EnvironmentBroken: the environment pair was taken down \(the agent is gone\)"])


def test_what_a_test_orders_fails_nothing(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
def test_x(environment):
    environment["worker.1"].kill()
    environment["watched"].restart()
    kill(environment, "mortal", after=0.0)
    deadline = time.monotonic() + 10
    while environment._handle.status().services["mortal"].starts < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)

def test_next(environment):
    environment["worker.0"].kill()
""",
    )

    result.assert_outcomes(passed=2)


def test_a_service_that_turns_unhealthy_is_told_with_its_last_answer(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
def test_x(environment):
    (environment.dir / "replicas" / "watched" / "alive").unlink()
    block()
""",
    )

    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines(
        [r"E +EnvironmentBroken: services\.watched turned unhealthy \(exec: .*\) .* into test_x"]
    )


def test_a_death_between_tests_is_told_by_the_next_one(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
@pytest.fixture
def afterwards(environment):
    yield
    os.kill(environment["worker.0"].pid, signal.SIGKILL)
    while environment["worker.0"].state == "healthy":
        time.sleep(0.01)

def test_x(environment, afterwards):
    pass

def test_next(environment):
    raise AssertionError("must not run")
""",
    )

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.re_match_lines(
        [r"environment pair is broken after \S+::test_x: services\.worker\.0 died of SIGKILL, sender unknown"]
    )


def test_a_test_that_swallows_the_interruption_fails_when_it_returns_and_shows_where_it_was(
    project: pytest.Pytester,
) -> None:
    result = run(
        project,
        """
def go_on_nevertheless():
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        time.sleep(0.01)

def test_x(environment):
    kill(environment, "worker.1")
    try:
        block()
    except:
        go_on_nevertheless()
""",
    )

    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines(
        [r"services\.worker\.1 died of SIGKILL, sender unknown, .* into test_x", ".*where the test was when it should"]
    )
    assert "in go_on_nevertheless" in text_of(result)


def test_a_test_that_fails_of_the_death_itself_says_so_first(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
def test_x(environment):
    os.kill(environment["worker.1"].pid, signal.SIGKILL)
    raise ConnectionResetError("peer")
""",
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*services.worker.1 died of SIGKILL*into test_x*"])


def test_an_expected_failure_does_not_hide_a_death(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
@pytest.mark.xfail(reason="known")
def test_x(environment):
    kill(environment, "worker.1")
    block()
""",
    )

    result.assert_outcomes(failed=1)


def test_a_test_case_of_unittest_is_failed_like_any_other(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
import unittest

class TestCase(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def use(self, environment):
        self.environment = environment

    def test_x(self):
        kill(self.environment, "worker.1")
        block()
""",
    )

    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines([r"E +EnvironmentBroken: services\.worker\.1 died of SIGKILL, .* into test_x"])


def test_a_setup_that_waits_is_failed_too(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
@pytest.fixture
def slow(environment):
    kill(environment, "worker.1")
    block()

def test_x(environment, slow):
    pass
""",
    )

    result.assert_outcomes(errors=1)
    result.stdout.re_match_lines([r"E +EnvironmentBroken: services\.worker\.1 died of SIGKILL, .* into test_x"])


def test_a_fixture_of_the_whole_run_whose_setup_was_interrupted_is_set_up_anew(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
tries = []

@pytest.fixture(scope="session")
def of_the_run():
    tries.append(1)
    if len(tries) == 1:
        block()
    return "there"

@pytest.fixture
def dies(environment):
    kill(environment, "worker.1")

def test_x(dies, of_the_run):
    pass

@pytest.mark.parametrize("number", range(2))
def test_next(environment, of_the_run, number):
    assert of_the_run == "there"
    assert len(tries) == 2
""",
        "--env-on-crash=restart",
    )

    result.assert_outcomes(errors=1, passed=2)


def test_the_signal_is_given_back(project: pytest.Pytester) -> None:
    project.makeconftest("""
import signal
MINE = lambda *_: None
signal.signal(signal.SIGRTMIN + 5, MINE)

def pytest_unconfigure(config):
    import atexit
    atexit.register(lambda: print("given back:", signal.getsignal(signal.SIGRTMIN + 5) is MINE))
""")
    result = run(project, "def test_x(environment): assert signal.getsignal(signal.SIGRTMIN + 5).__self__")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["given back: True"])


@pytest.mark.parametrize("options", [(), ("-n1",)], ids=["alone", "xdist"])
def test_an_environment_that_was_lost_is_replaced_where_that_was_asked_for(
    project: pytest.Pytester, options: tuple[str, ...]
) -> None:
    result = run(
        project,
        """
def test_x(environment):
    import json
    agents = json.loads((environment.dir / "processes.json").read_text())
    for half in ("guardian", "agent"):
        os.kill(agents[half]["pid"], signal.SIGKILL)
    block()

def test_next(environment):
    assert environment.state == "healthy"
""",
        "--env-on-crash=restart",
        *options,
    )

    result.assert_outcomes(failed=1, passed=1)
