"""Tests that await something when a service dies: their coroutines end there, and say where."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.dying import dying, run, text_of

SHARED_LOOP = """
import asyncio

loop = asyncio.new_event_loop()
seen = []

async def waits(environment):
    kill(environment, "worker.1")
    try:
        while True:
            await asyncio.sleep(0.01)  # here it is when the worker dies
            seen.append("goes on")
    finally:
        seen.append("ended")

def test_x(environment):
    loop.run_until_complete(waits(environment))

def test_next():
    loop.run_until_complete(asyncio.sleep(0.05))
    assert seen[-1] == "ended"
"""
BESIDE_OTHERS = """
import asyncio

async def works():
    while True:
        time.sleep(0.001)
        await asyncio.sleep(0)

async def waits(environment):
    others = [asyncio.create_task(works()) for _ in range(3)]
    kill(environment, "worker.1")
    await asyncio.sleep(600)

def test_x(environment):
    asyncio.run(waits(environment))
"""
BLOCKED = """
import asyncio

async def waits(environment):
    kill(environment, "worker.1")
    block()

def test_x(environment):
    asyncio.run(waits(environment))
"""
FIXTURE = """
import asyncio

@pytest.fixture
def client(environment):
    async def waits():
        kill(environment, "worker.1")
        await asyncio.Event().wait()

    asyncio.run(waits())

def test_x(client): pass
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    return dying(pytester)


def test_a_coroutine_ends_in_its_own_test(project: pytest.Pytester) -> None:
    result = run(project, SHARED_LOOP, "--env-order=keep")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.re_match_lines([r".*await asyncio\.sleep\(0\.01\)  # here it is", r".*died of SIGKILL.* into test_x"])


@pytest.mark.parametrize(
    ("tests", "when"),
    [(BESIDE_OTHERS, "test_x"), (BLOCKED, "test_x"), (FIXTURE, "the setup of test_x")],
    ids=["others", "blocked", "fixture"],
)
def test_the_line_that_awaits_is_shown(project: pytest.Pytester, tests: str, when: str) -> None:
    result = run(project, tests)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.re_match_lines([rf".*EnvironmentBroken: services\.worker\.1 died of SIGKILL.* into {when}"])
    assert "in waits" in text_of(result)
    assert "watching.py" not in text_of(result)


def test_a_coroutine_that_the_test_cancels_itself_is_its_own_failure(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
import asyncio

async def cancels():
    asyncio.current_task().cancel("of its own accord")
    await asyncio.sleep(600)

def test_x(environment):
    asyncio.run(cancels())
""",
    )

    result.assert_outcomes(failed=1)
    assert "asyncio.exceptions.CancelledError: of its own accord" in text_of(result)
