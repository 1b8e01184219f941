"""Deaths in the last test's last moment, in a teardown, and after all tests: told as well, and the run fails."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.dying import dying, run


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    return dying(pytester)


IN_A_TEARDOWN = """
@pytest.fixture
def used(environment):
    yield
    os.kill(environment["worker.0"].pid, signal.SIGKILL)

def test_x(used):
    pass
"""


@pytest.mark.parametrize("options", [(), ("-n1",), ("--env-on-crash=restart",)], ids=["alone", "xdist", "restart"])
def test_a_death_in_the_last_teardown_is_an_error_of_that_test(
    project: pytest.Pytester, options: tuple[str, ...]
) -> None:
    result = run(project, IN_A_TEARDOWN, *options)

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.re_match_lines([r"services\.worker\.0 died of SIGKILL, sender unknown, .* into .*test_x"])


def test_a_death_in_the_last_moment_of_the_last_test_is_told(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
def test_x(environment):
    kill_with_late_news(environment, "worker.1")
""",
    )

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.re_match_lines([r"services\.worker\.1 died of SIGKILL, sender unknown, .* into .*test_x"])


AFTER_ALL = """
def test_x(request):
    asked = "-environment-".strip("-")  # in nobody's code, so that it is held to the end of the run
    request.getfixturevalue(asked)
"""
KILLS = """
import os, signal
import pytest
from envspec.pytest_plugin import POOL

@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    if POOL in session.config.stash:
        for environment in session.config.stash[POOL].held.values():
            os.kill(environment["worker.0"].pid, signal.SIGKILL)
"""


@pytest.mark.parametrize("options", [(), ("-n1",)], ids=["alone", "xdist"])
def test_a_death_after_all_tests_fails_the_run(project: pytest.Pytester, options: tuple[str, ...]) -> None:
    project.makeconftest(KILLS)
    result = run(project, AFTER_ALL + "\ndef test_user(environment): pass", *options)

    result.assert_outcomes(passed=2)
    result.stdout.re_match_lines(
        [
            r".*envspec: environment pair is broken: services\.worker\.0 died of SIGKILL, "
            r"sender unknown, .* after test_\w+"
        ]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_teardown_that_fails_of_the_death_says_so_first(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "500")  # whole sentences in the summary
    result = run(
        project,
        """
@pytest.fixture(scope="session")
def client(environment):
    yield
    raise ConnectionRefusedError("nobody listens")

def test_x(environment, client):
    kill(environment, "worker.1")
    block()

def test_next(environment, client):
    pass
""",
    )

    result.assert_outcomes(failed=1, errors=2)
    result.stdout.re_match_lines(
        [
            r"ERROR .*::test_x - services\.worker\.1 died of SIGKILL, .*; then ConnectionRefusedError: nobody listens",
            r"ERROR .*::test_next - Failed: environment pair is broken since \S+::test_x: .*",
        ]
    )


BETWEEN = """
workers = []

def test_before(environment):
    workers.append(environment["worker.0"])

def test_other():
    os.kill(workers[0].pid, signal.SIGKILL)
    while workers[0].state == "healthy":
        time.sleep(0.01)

def test_after(environment):
    assert environment["worker.0"].state == "healthy"
"""


def test_a_death_between_two_users_of_an_environment_is_told_by_its_time(project: pytest.Pytester) -> None:
    result = run(project, BETWEEN, "--env-order=keep")

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.re_match_lines(
        [
            r"environment pair is broken: services\.worker\.0 died of SIGKILL, sender unknown, "
            r"[\d.]+ m?s after test_before \(during test_other\)"
        ]
    )


def test_after_a_death_between_its_users_an_environment_is_started_anew_where_that_was_asked_for(
    project: pytest.Pytester,
) -> None:
    run(project, BETWEEN, "--env-order=keep", "--env-on-crash=restart").assert_outcomes(passed=3)
