"""Tests are grouped by environment: those that want none come first, and each environment starts once."""

from __future__ import annotations

import pytest

from envspec.pytest_plugin.order import grouped
from envspec.pytest_plugin.turns import Turns
from envspec.pytest_plugin.wanted import Wanted
from tests.pytest_plugin.shared_run import events, prepare, starts

A, B, C = Wanted("a"), Wanted("b"), Wanted("c")

MIXED = """
import pytest

@pytest.mark.environment("web")
def test_one(): pass

def test_two(): pass

@pytest.mark.environment("other")
def test_three(): pass

@pytest.mark.environment("web")
def test_four(): pass

def test_five(): pass
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    prepare(pytester)
    return pytester


def test_groups_come_in_order_of_first_appearance_and_keep_their_own() -> None:
    items = [("1", (B,)), ("2", ()), ("3", (A,)), ("4", (B,)), ("5", (A, B)), ("6", ()), ("7", (A,))]

    assert grouped(items) == ["2", "6", "1", "4", "3", "7", "5"]


def test_each_environment_starts_once_and_tests_without_one_come_first(project: pytest.Pytester) -> None:
    project.makepyfile(MIXED)

    result = project.runpytest_subprocess("-v")

    result.assert_outcomes(passed=5)
    result.stdout.re_match_lines([f".*::test_{name} PASSED.*" for name in ("two", "five", "one", "four", "three")])
    assert sorted(starts()) == ["other", "web"]


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_the_order_is_kept_if_that_is_wanted(project: pytest.Pytester, workers: str) -> None:
    project.makepyfile(MIXED)

    result = project.runpytest_subprocess("-v", "--env-order=keep", workers)

    result.assert_outcomes(passed=5)
    names = [line for line in result.stdout.lines if "PASSED" in line]
    assert [line.split("::test_")[1].split()[0] for line in names] == ["one", "two", "three", "four", "five"]
    assert sorted(starts()) == ["other", "web"]


NUMBERED = """
import pytest

@pytest.mark.environment("web")
def test_1(environment): pass
def test_2(): pass
@pytest.mark.environment("other")
def test_3(environment): pass
@pytest.mark.environment("web")
def test_4(environment): pass
@pytest.mark.environment("other")
def test_5(environment): pass
@pytest.mark.environment("third")
def test_6(): pass
def test_7(): pass
@pytest.mark.environment("third")
def test_8(environment): pass
"""


def order_of(result: pytest.RunResult) -> list[str]:
    return [line.split("::test_")[1].split()[0] for line in result.stdout.lines if "PASSED" in line]


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_pytest_does_not_group_tests_by_the_fixture_either(project: pytest.Pytester, workers: str) -> None:
    project.makepyfile(NUMBERED)

    result = project.runpytest_subprocess("-v", "--env-order=keep", workers)

    result.assert_outcomes(passed=8)
    assert order_of(result) == list("12345678")
    assert sorted(starts()) == ["other", "third", "web"]


def test_the_order_of_another_plugin_and_what_pytest_groups_else_are_kept(project: pytest.Pytester) -> None:
    project.makepyfile(NUMBERED)
    project.makeconftest(
        """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    items.reverse()
"""
    )
    project.makepyfile(
        test_zz="""
import pytest

@pytest.mark.parametrize("own", ["a", "b"], scope="module")
class TestOwn:
    def test_x(self, own): pass
    def test_y(self, own): pass
"""
    )

    result = project.runpytest_subprocess("-v", "--env-order=keep")

    assert order_of(result) == ["y[b]", "x[b]", "y[a]", "x[a]", *"87654321"]


def test_an_environment_boots_while_tests_that_want_none_run(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
import os, pathlib, time

def test_needs_it(told): pass

def test_before():
    deadline = time.monotonic() + 30
    sessions = pathlib.Path(os.environ["ENVSPEC_STATE_DIR"], "sessions")
    while not any("session-healthy" in file.read_text() for file in sessions.glob("*/events.jsonl")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
"""
    )

    project.runpytest_subprocess("--env=web").assert_outcomes(passed=2)


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_an_environment_goes_when_its_last_test_is_over(project: pytest.Pytester, workers: str) -> None:
    project.makepyfile(
        """
import os, pathlib, pytest, time

@pytest.mark.environment("web")
@pytest.mark.parametrize("number", range(4))
def test_web(told, number): pass

@pytest.mark.environment("other")
def test_other(told):
    deadline = time.monotonic() + 30
    sessions = pathlib.Path(os.environ["ENVSPEC_STATE_DIR"], "sessions")
    while not any("session-stopped" in file.read_text() for file in sessions.glob("web-*/events.jsonl")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
"""
    )

    project.runpytest_subprocess(workers).assert_outcomes(passed=5)

    assert sorted(starts()) == ["other", "web"]
    assert [event["reason"] for _, event in events() if event["event"] == "session-stopping"] == [
        "the tests are done"
    ] * 2


def expecting(turns: Turns, *groups: tuple[Wanted, ...]) -> Turns:
    turns.expect({str(number): wanted for number, wanted in enumerate(groups)})
    return turns


def test_as_many_have_their_turn_as_may_be_up() -> None:
    turns = expecting(Turns(2), (A,), (A,), (B,), (C,))

    assert turns.next([]) == [A, B]
    assert turns.is_there_for(B, [])
    assert not turns.is_there_for(C, [])
    turns.finished("0")
    assert not turns.is_there_for(C, [])
    turns.finished("1")
    assert turns.is_there_for(C, [])
    assert turns.is_over_for(A)


def test_what_the_first_test_wants_may_always_be_up() -> None:
    turns = expecting(Turns(1), (A, B), (C,))

    assert turns.next([]) == [A, B]
    assert not turns.is_there_for(C, [])


def test_nobody_waits_for_a_turn_where_tests_are_not_grouped() -> None:
    turns = expecting(Turns(1), (A,), (B,), (A,))

    assert turns.next([]) == [A]
    assert turns.is_there_for(B, [])


def test_what_nobody_was_expected_to_want_may_be_up_at_any_time() -> None:
    assert expecting(Turns(1), (A,)).is_there_for(B, [])


def test_no_more_are_up_than_memory_holds() -> None:
    needs = {A: 6, B: 5, C: 4}
    turns = expecting(Turns(4, lambda together: sum(needs[one] for one in together) <= 10), (A,), (B,), (C,))

    assert turns.next([]) == [A]
    turns.finished("0")
    assert turns.next([A]) == []  # until it has gone
    assert turns.next([]) == [B, C]
