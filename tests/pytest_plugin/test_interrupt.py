"""Where a test may be interrupted, and where pytest would be left half way."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

from envspec.pytest_plugin.interrupt import OURS, PLUGGY, PYTEST, PYTESTER, _is_in_a_test

USERS = "/home/somebody/tests/test_it.py"
STDLIB = "/usr/lib/python3.11/socket.py"


def stack(*calls: tuple[str, str]) -> FrameType:
    """Return the innermost frame of functions that call one another, by file and name, the outermost first."""
    call: Any = sys._getframe  # called with no function of its own: it returns the frame of the innermost
    for file, name in reversed(calls):
        scope: dict[str, Any] = {"call": call}
        exec(compile(f"def {name}(): return call()", file, "exec"), scope)
        call = scope[name]
    frame: FrameType = call()
    return frame


LEADING = [(f"{PYTEST}runner.py", "pytest_runtest_call"), (f"{PLUGGY}_callers.py", "_multicall")]


@pytest.mark.parametrize(
    "calls",
    [
        [(f"{PYTEST}python.py", "pytest_pyfunc_call"), (USERS, "test_x")],
        [(f"{PYTEST}python.py", "pytest_pyfunc_call"), (USERS, "test_x"), (STDLIB, "recv")],
        [(f"{PYTEST}fixtures.py", "call_fixture_func"), (USERS, "fixture")],
        [(f"{PYTEST}unittest.py", "runtest"), (STDLIB, "run"), (USERS, "test_x")],
        [(USERS, "pytest_runtest_setup"), (STDLIB, "recv")],
        [(f"{PYTEST}python.py", "pytest_pyfunc_call"), (USERS, "test_x"), (PYTESTER, "run"), (STDLIB, "wait")],
    ],
)
def test_tests_fixtures_and_hooks_may_be_interrupted(calls: list[tuple[str, str]]) -> None:
    assert _is_in_a_test(stack(*LEADING, *calls))


@pytest.mark.parametrize(
    "calls",
    [
        [],
        [(f"{PYTEST}python.py", "pytest_pyfunc_call")],
        [(f"{PYTEST}fixtures.py", "execute"), (STDLIB, "partial")],
        [(f"{PYTEST}fixtures.py", "call_fixture_func"), (f"{OURS}__init__.py", "environment"), (STDLIB, "wait")],
    ],
)
def test_steps_of_pytest_and_the_lending_of_environments_may_not(calls: list[tuple[str, str]]) -> None:
    assert not _is_in_a_test(stack(*LEADING, *calls))
