"""What fails at the end of a run: it is told without a bare traceback, the run fails, and no environment is spared."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.shared_run import events, prepare

HELD_TO_THE_END = """
from envspec.pytest_plugin import pool_of

def test_user(environment):
    pass

def test_holder(request):
    pool = pool_of(request.config)
    for name in ("web", "other"):
        pool.live(pool.naming.wanted(name))
"""
LOSES_THE_LINE = """
import pytest
from envspec.pytest_plugin import POOL

@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    pool = session.config.stash.get(POOL, None)
    if pool is not None and pool.held:
        def give_back(wanted, **_):
            raise RuntimeError(f"{wanted} is not taken back")
        pool.lender.give_back = give_back
"""
LEFT_FIXTURE = """
import pytest

@pytest.fixture(scope="session")
def client(environment):
    yield
    raise ConnectionRefusedError("nobody listens")

@pytest.mark.environment("other")
def test_before(environment):
    pass

def test_interrupted(client):
    raise KeyboardInterrupt
"""


def reasons() -> list[str]:
    """Return why each session was stopped; one that is left to the end of the process says another one."""
    return [event["reason"] for _, event in events() if event["event"] == "session-stopping"]


def run(pytester: pytest.Pytester, conftest: str, tests: str, *options: str) -> pytest.RunResult:
    prepare(pytester)
    pytester.makeconftest(conftest)
    pytester.makepyfile(tests)
    result = pytester.runpytest_subprocess("--env=web", *options)
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
    assert reasons() == ["the tests are done"] * 2
    return result


@pytest.mark.parametrize("options", [(), ("-n1",), ("-n1", "--env-per-worker")], ids=" ".join)
def test_one_that_cannot_be_given_back_fails_the_run_and_spares_none(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    result = run(pytester, LOSES_THE_LINE, HELD_TO_THE_END, *options)

    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    for name in ("web", "other"):
        result.stdout.fnmatch_lines([f"*- environment {name} could not be given back -*"])
        result.stdout.fnmatch_lines([f"*RuntimeError: {name} is not taken back"])


@pytest.mark.parametrize("options", [(), ("-n1", "--env-per-worker")], ids=["alone", "each-its-own"])
def test_a_fixture_that_fails_after_ctrl_c_spares_none(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    result = run(pytester, "", LEFT_FIXTURE, *options)

    assert result.ret == pytest.ExitCode.INTERRUPTED
    if not options:  # a worker that is interrupted has no time for words
        result.stdout.fnmatch_lines(["*- the last fixtures could not be ended -*", "*Error: nobody listens"])
        result.stdout.no_fnmatch_line("*_pytest*")
