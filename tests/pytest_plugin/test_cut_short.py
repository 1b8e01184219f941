"""A test that pytest-timeout ends while its environment starts: the start goes on, for the tests that follow."""

from __future__ import annotations

import pytest

SLOW = """
version: 1
services:
  slow:
    command: [sleep, "1000"]
    health: [{exec: {shell: "test -e {{ project }}/go"}}]
"""
CONFTEST = """
def pytest_runtest_logreport(report):
    if report.nodeid.endswith("test_cut") and report.failed:
        open("go", "w").close()
"""
TESTS = """
import pytest

@pytest.fixture(scope="session")
def pid(environment):
    return environment["slow"].pid

@pytest.mark.timeout(1)
def test_cut(pid): pass

def test_next(pid):
    assert pid
"""


@pytest.mark.parametrize("options", [(), ("-n1",)], ids=["alone", "xdist"])
def test_a_start_outlives_the_test_that_was_ended_meanwhile(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    (pytester.mkdir("environments") / "slow.yaml").write_text(SLOW)
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\naddopts = ['-p', 'no:cacheprovider', '--timeout=60']\n")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(TESTS)

    result = pytester.runpytest_subprocess("--env=slow", "--env-order=keep", *options)

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.re_match_lines(
        [r"Timeout \(>1.0s\) from pytest-timeout, while environment slow was starting \(waiting for slow.*\)"]
    )
