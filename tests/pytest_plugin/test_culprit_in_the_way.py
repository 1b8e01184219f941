"""A death in a test that does not just wait for it: swallowed, expected, in a setup, in a class of unittest."""

from __future__ import annotations

import re

import pytest

from tests.pytest_plugin.dying import dying, run, text_of


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    return dying(pytester)


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


@pytest.mark.parametrize("options", [(), ("-n1",)], ids=["alone", "xdist"])
def test_where_it_was_are_its_own_lines_in_all_its_threads(project: pytest.Pytester, options: tuple[str, ...]) -> None:
    result = run(
        project,
        """
def go_on_nevertheless():
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        threading.Event().wait(0.01)

def help_it():
    threading.Event().wait(3)

def test_x(environment):
    threading.Thread(target=help_it, name="helper", daemon=True).start()
    threading.Thread(target=threading.Event().wait, name="somebody's", daemon=True).start()
    kill(environment, "worker.1")
    try:
        block()
    except:
        go_on_nevertheless()
""",
        *options,
    )

    result.assert_outcomes(failed=1)
    shown = text_of(result).partition("where the test was when it should")[2].partition("summary info")[0]
    assert re.findall(r"^thread (.*):$|^  File .*, in (\w+)$", shown, re.MULTILINE) == [
        ("MainThread", ""), ("", "test_x"), ("", "go_on_nevertheless"), ("helper", ""), ("", "help_it")
    ]  # fmt: skip


def test_a_test_that_fails_of_the_death_itself_says_so_first(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
def test_x(environment):
    kill_with_late_news(environment, "worker.1")
    raise ConnectionResetError("peer")
""",
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*services.worker.1 died of SIGKILL*into test_x*"])


def test_a_test_that_fails_before_the_kernel_knows_of_the_death_says_so_too(project: pytest.Pytester) -> None:
    project.makeconftest("""
import builtins, os, signal
from envspec.pytest_plugin.watch import Watch

ask = Watch.is_about_to_tell

def asked_too_early(watch):
    answer = ask(watch)
    if not hasattr(builtins, "fails"):
        return answer
    Watch.is_about_to_tell = ask
    os.kill(watch._handle.status().services["worker.1"].pid, signal.SIGKILL)
    return answer

Watch.is_about_to_tell = asked_too_early
""")
    result = run(
        project, "def test_x(environment):\n    __builtins__['fails'] = True\n    raise ConnectionResetError('peer')"
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*services.worker.1 died of SIGKILL*into test_x*"])


def test_a_cleanup_that_fails_after_the_interruption_does_not_hide_the_death(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "500")  # whole sentences in the summary
    result = run(
        project,
        """
def test_x(environment):
    kill(environment, "worker.1")
    try:
        block()
    finally:
        raise ConnectionError("cleanup")
""",
        "--junitxml=junit.xml",
    )

    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines([r"FAILED .* - services\.worker\.1 died of SIGKILL.*; then ConnectionError: cleanup"])
    assert 'message="services.worker.1 died of SIGKILL' in (project.path / "junit.xml").read_text()


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
    result.stdout.re_match_lines(
        [r"E +EnvironmentBroken: services\.worker\.1 died of SIGKILL, .* into the setup of test_x"]
    )


def test_a_fixture_of_the_whole_run_whose_setup_was_interrupted_is_set_up_anew(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
tries = []

@pytest.fixture(scope="session")
def of_the_run(request):
    tries.append(1)
    if len(tries) == 1:
        from envspec.pytest_plugin import pool_of  # it uses no environment, but runs in the time of one
        [environment] = pool_of(request.config).held.values()
        kill(environment, "worker.1")
        block()
    return "there"

def test_x(environment, of_the_run):
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


def test_a_death_between_setup_and_call_fails_the_test_before_it_begins(project: pytest.Pytester) -> None:
    project.makeconftest("""
import os, signal, time
import pytest
from envspec.pytest_plugin import pool_of

def pytest_configure(config):
    global pool, parts
    pool, parts = pool_of(config), config.pluginmanager

def pytest_runtest_logreport(report):
    if report.when == "setup":
        os.kill(next(iter(pool.held.values()))["worker.1"].pid, signal.SIGKILL)
        while not parts.get_plugin("envspec watching")._test.broken:
            time.sleep(0.01)
""")
    result = run(project, "def test_x(environment): raise AssertionError('must not run')")

    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines([r"services\.worker\.1 died of SIGKILL, sender unknown, .* into the setup of test_x"])
    assert "must not run" not in text_of(result).partition("FAILURES")[2]
