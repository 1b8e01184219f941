"""Under xdist environments of --env are begun before the tests are known; what none of them wants goes again."""

from __future__ import annotations

import pytest

from envspec.session import registry
from envspec.session.control import Control
from tests.pytest_plugin.shared_run import prepare, starts

UNUSED = "def test_it(): pass\n"
OF_ANOTHER = """
import pytest

@pytest.mark.environment("other")
def test_it(): pass
"""
FAILED_FIRST = """
import pathlib, time

def pytest_collection(session):
    if hasattr(session.config, "workerinput"):
        state = pathlib.Path(__import__("os").environ["ENVSPEC_STATE_DIR"])
        deadline = time.monotonic() + 30
        while not any("session-failed" in file.read_text() for file in state.glob("sessions/broken-*/events.jsonl")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    prepare(pytester)
    return pytester


@pytest.mark.parametrize(
    ("tests", "options"),
    [
        (UNUSED, ()),
        (UNUSED, ("-k", "nothing")),
        (UNUSED, ("there_is_no_such_file.py",)),
        (OF_ANOTHER, ("--env-order=keep",)),
    ],
    ids=["unused", "deselected", "no-file", "of-another"],
)
@pytest.mark.parametrize("stay", ["--env-warm", "--env-keep"])
def test_what_no_test_wants_never_stays_up(
    project: pytest.Pytester, tests: str, options: tuple[str, ...], stay: str
) -> None:
    project.makepyfile(tests)

    result = project.runpytest_subprocess("--env=web", "-n2", stay, "--env-ttl=1m", *options)

    left = {entry.environment for entry in registry.living()}
    for entry in registry.living():
        Control(entry.directory).stop("the test is over")
    assert "web" not in left
    assert "web stays up" not in result.stdout.str()
    assert "web is still up" not in result.stdout.str()


@pytest.mark.parametrize("tests", [UNUSED, OF_ANOTHER], ids=["unused", "of-another"])
def test_of_one_that_is_broken_and_that_no_test_wants_nobody_hears(project: pytest.Pytester, tests: str) -> None:
    project.makeconftest(FAILED_FIRST)
    project.makepyfile(tests)

    result = project.runpytest_subprocess("--env=broken", "-n2")

    result.assert_outcomes(passed=1)
    assert "broken" in starts()
    assert "did not start" not in result.stdout.str()
    assert "is on fire" not in result.stdout.str()
