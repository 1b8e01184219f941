"""Tests that get their environment by `request.getfixturevalue`, which pytest does not see before they run."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.dying import dying, run, text_of

IN_ITS_BODY = """
def test_before(request):
    request.getfixturevalue("environment")

def test_x(request):
    environment = request.getfixturevalue("environment")
    kill(environment, "worker.1")
    block()

def test_next(request):
    request.getfixturevalue("environment")
"""
BY_A_FIXTURE = """
@pytest.fixture(scope="session")
def stack(request):
    return request.getfixturevalue("environment")

@pytest.fixture
def worker(stack):
    return stack["worker.1"]

def test_before(worker): pass

def test_x(stack, worker):
    kill(stack, "worker.1")
    block()

def test_next(worker):
    assert worker.pid
"""
BY_A_HELPER = """
def anything(request, name):
    return request.getfixturevalue(name)

@pytest.fixture(scope="session")
def stack(request):
    return anything(request, "environment")

@pytest.fixture(scope="session")
def more(request):
    return request.getfixturevalue("stack")

def test_before(more): pass

def test_x(more):
    kill(more, "worker.1")
    block()

def test_next(more):
    assert more["worker.1"].pid
"""
IN_A_CLASS = """
import unittest

class TestAll(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _stack(self, request):
        self.stack = request.getfixturevalue("environment")

    def test_1_before(self): pass

    def test_2_x(self):
        kill(self.stack, "worker.1")
        block()

    def test_3_next(self): pass
"""
WAYS = {"body": IN_ITS_BODY, "fixture": BY_A_FIXTURE, "helper": BY_A_HELPER, "class": IN_A_CLASS}


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    return dying(pytester)


@pytest.mark.parametrize("tests", WAYS.values(), ids=WAYS)
def test_a_death_fails_the_test_and_those_behind_it(project: pytest.Pytester, tests: str) -> None:
    result = run(project, tests)

    told = {"failed": 2} if tests is IN_ITS_BODY else {"failed": 1, "errors": 1}
    result.assert_outcomes(passed=1, **told)
    result.stdout.re_match_lines([r".*services\.worker\.1 died of SIGKILL, sender unknown, .* into test_(2_)?x"])
    assert "environment pair is broken since" in text_of(result)


@pytest.mark.parametrize("tests", WAYS.values(), ids=WAYS)
def test_those_behind_a_death_get_a_fresh_environment_if_told_so(project: pytest.Pytester, tests: str) -> None:
    run(project, tests, "--env-on-crash=restart").assert_outcomes(passed=2, failed=1)


@pytest.mark.parametrize("tests", [IN_ITS_BODY, BY_A_FIXTURE, IN_A_CLASS], ids=["body", "fixture", "class"])
def test_workers_share_one_environment_that_is_asked_for_by_name(project: pytest.Pytester, tests: str) -> None:
    harmless = tests.replace("    block()\n", "").replace('kill(environment, "worker.1")', "pass")
    harmless = harmless.replace('kill(stack, "worker.1")', "pass").replace('kill(self.stack, "worker.1")', "pass")

    result = run(project, harmless, "-n2")

    result.assert_outcomes(passed=3)
    assert text_of(result).count("is healthy in") == 1


def test_who_may_ask_but_does_not_is_left_alone(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
def test_x(environment):
    kill(environment, "worker.1", after=0)
    block()

def test_elsewhere(request):
    if request.config.getoption("--verbose") > 10:
        request.getfixturevalue("environment")
""",
        "--env-order=keep",
    )

    result.assert_outcomes(passed=1, failed=1)
