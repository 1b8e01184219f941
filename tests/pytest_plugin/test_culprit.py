"""A service that dies while tests run: the running test fails at once and names it, and so do those that follow."""

from __future__ import annotations

import re

import pytest

from tests.pytest_plugin.dying import dying, run, text_of


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    return dying(pytester)


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


@pytest.mark.parametrize("halves", [("agent", "guardian"), ("agent",), ("guardian",)], ids=" and ".join)
def test_the_loss_of_the_whole_environment_is_told_in_every_process(
    project: pytest.Pytester, halves: tuple[str, ...]
) -> None:
    pytest.importorskip("xdist")
    result = run(
        project,
        f"""
def test_x(environment):
    agents = json.loads((environment.dir / "processes.json").read_text())
    for half in {halves}:
        os.kill(agents[half]["pid"], signal.SIGKILL)
    block()
""",
        "-n1",
    )

    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines(
        [r"E +EnvironmentBroken: the environment pair was lost: the agent is gone, .* into test_x"]
    )


def test_what_a_test_orders_fails_nothing(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
def test_x(environment):
    environment["worker.1"].kill()
    environment["watched"].restart()
    kill(environment, "mortal", after=0.0)
    deadline = time.monotonic() + 25
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


def test_a_death_in_a_teardown_is_told_by_that_test_and_the_next_one(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
@pytest.fixture
def afterwards(environment, request):
    yield
    os.kill(environment["worker.0"].pid, signal.SIGKILL)
    watches = request.config.pluginmanager.get_plugin("envspec watching")._watches.values()
    while not any(watch.since for watch in watches):  # the state says so before the plugin has heard of it
        time.sleep(0.01)

def test_x(environment, afterwards):
    pass

def test_next(environment):
    raise AssertionError("must not run")
""",
    )

    result.assert_outcomes(passed=1, errors=2)
    result.stdout.re_match_lines(
        [r"environment pair is broken since \S+::test_x: services\.worker\.0 died of SIGKILL, sender unknown"]
    )


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
    for half in ("agent", "guardian"):  # the agent would still stop its services, and tell of them
        os.kill(agents[half]["pid"], signal.SIGKILL)
    block()

def test_next(environment):
    assert environment.state == "healthy"
""",
        "--env-on-crash=restart",
        *options,
    )

    result.assert_outcomes(failed=1, passed=1)


EXPECTED = """
@pytest.mark.environment(scope="{scope}")
@pytest.mark.xfail(reason="the engine crashes", strict=True)
def test_x(environment):
    kill(environment, "worker.1")
    block()

def test_next(environment): pass
"""


@pytest.mark.parametrize(("scope", "options"), [("function", ()), ("session", ("--env-on-crash=restart",))])
def test_a_death_that_harms_nobody_else_may_be_expected(
    project: pytest.Pytester, scope: str, options: tuple[str, ...]
) -> None:
    run(project, EXPECTED.format(scope=scope), *options).assert_outcomes(xfailed=1, passed=1)


def test_a_death_that_breaks_the_tests_to_come_cannot_be_expected(project: pytest.Pytester) -> None:
    run(project, EXPECTED.format(scope="session")).assert_outcomes(failed=1, errors=1)


def test_a_test_that_is_run_again_gets_a_fresh_environment_of_its_own(project: pytest.Pytester) -> None:
    project.makeconftest(
        """
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    for _ in range(2):  # as pytest-rerunfailures does
        item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""
    )
    result = run(
        project,
        """
runs = []

@pytest.mark.environment(scope="function")
def test_x(environment):
    runs.append(environment.id)
    if len(runs) == 1:
        kill(environment, "worker.1")
        block()
    assert len(set(runs)) == 2
""",
    )

    result.assert_outcomes(passed=1)


def test_in_a_fork_of_the_run_a_test_is_told_that_there_is_no_environment(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
def test_x(request):
    if (child := os.fork()) == 0:
        try:
            request.getfixturevalue("environment")
        except pytest.fail.Exception as failure:
            print(failure, flush=True)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
""",
        "-s",
    )

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*environment pair belongs to the parent of this process*", "hint: *forking*"])
