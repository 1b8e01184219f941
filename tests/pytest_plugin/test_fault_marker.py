"""Faults in a marker: what they do to the services of a test, and what becomes of the test."""

from __future__ import annotations

import pytest

TRIO = """
version: 1
services:
  worker: {command: [sleep, "1000"], replicas: 2}
  store: {command: [sleep, "1000"]}
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    (pytester.mkdir("environments") / "trio.yaml").write_text(TRIO)
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\naddopts = ['-p', 'no:cacheprovider', '--timeout=30']\n")
    return pytester


def run(project: pytest.Pytester, tests: str, *options: str) -> pytest.RunResult:
    project.makepyfile("import pytest, time\n" + tests)
    return project.runpytest_subprocess(*options)


HAPPENS = """
@pytest.mark.environment("trio", faults=[
    {"after": "50ms", "kill": "worker.1"},
    {"after": "healthy", "restart": "store"},
])
def test_killed(environment):
    before = environment["store"].pid
    assert environment["worker.1"].wait_exited(timeout=20) == "SIGKILL"
    assert environment["worker.0"].state == "healthy"
    while environment["store"].pid in (before, None):
        time.sleep(0.01)

def test_next(environment):
    environment["worker.1"].start()
    assert environment.state == "healthy"
"""


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["one process", "a worker"])
def test_faults_happen_while_the_test_runs_and_fail_nothing(project: pytest.Pytester, workers: tuple[str, ...]) -> None:
    tests = HAPPENS.replace("def test_next", '@pytest.mark.environment("trio")\ndef test_next')
    run(project, tests, *workers).assert_outcomes(passed=2)


@pytest.mark.parametrize("lasts", [', "for": "1h"', ""], ids=["for an hour", "without a time"])
def test_a_fault_that_lasts_ends_with_the_test(project: pytest.Pytester, lasts: str) -> None:
    tests = """
@pytest.mark.environment("trio", faults=[{"pause": "worker"LASTS}, {"stop": "store"LASTS}])
def test_paused(environment):
    while environment["store"].pid or not all(one.paused_now for one in map(Seen, environment["worker"].replicas)):
        time.sleep(0.01)

class Seen:
    def __init__(self, replica):
        self.paused_now = open(f"/proc/{replica.pid}/stat").read().split()[2] == "T"

@pytest.mark.environment("trio")
def test_next(environment):
    environment["worker"].wait_healthy(timeout=0)
    environment["store"].wait_healthy(timeout=0)
"""
    run(project, tests.replace("LASTS", lasts)).assert_outcomes(passed=2)


def test_what_the_test_undid_itself_or_made_worse_is_not_undone(project: pytest.Pytester) -> None:
    tests = """
@pytest.mark.environment("trio", faults=[{"pause": "worker"}, {"stop": "store", "for": "1h"}])
def test_undone(environment):
    while environment["store"].pid or not all(one.paused for one in environment["worker"]._statuses()):
        time.sleep(0.01)
    environment["store"].start()
    environment["worker.0"].resume()
    environment["worker.1"].kill()

@pytest.mark.environment("trio")
def test_next(environment):
    assert environment["worker.1"].state == "exited"
    environment["worker.0"].wait_healthy(timeout=0)
    environment["store"].wait_healthy(timeout=0)
"""
    run(project, tests).assert_outcomes(passed=2)


def test_a_fault_that_did_not_come_or_could_not_be_done_fails_the_test(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
@pytest.mark.environment("trio", faults=[{"after": "1h", "kill": "store"}])
def test_too_short(environment):
    pass

@pytest.mark.environment("trio", faults=[{"kill_child": "store", "child": "EngineCore"}, {"restart": "worker.1"}])
def test_refused(environment):
    before = environment["worker.1"].pid
    while environment["worker.1"].pid in (before, None):
        time.sleep(0.01)
""",
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "*the test ended before the marker's faults?0? (kill store) was due*",
            "*the marker's faults?0? (kill_child store) could not be done: no process below store has 'EngineCore'*",
        ]
    )


def test_the_error_of_a_test_is_its_own_and_a_refused_fault_a_note_to_it(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
@pytest.mark.environment("trio", faults=[{"after": "1h", "kill": "store"}])
def test_wrong(environment):
    assert 1 == 2
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*assert 1 == 2*", "*the test ended before the marker's faults?0? (kill store)*"])


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ('"kill worker.1"', ["*faults= of the marker environment is a list of mappings*"]),
        ('[{"kill": "wroker"}]', ["*faults?0?: there is no service 'wroker' (did you mean 'worker'?)*"]),
        (
            '[{"kill": "worker.1", "after": "2"}, {"kil": "store"}]',
            ["*faults?0?: *a duration needs a unit: 2s?*", "*faults?1?: *has no key 'kil' (did you mean 'kill'?)*"],
        ),
        ('[{"after": "1s"}]', ["*faults?0?: a fault is exactly one of kill, *; here is none*"]),
    ],
)
def test_a_marker_that_is_wrong_says_all_that_is_wrong(project: pytest.Pytester, faults: str, said: list[str]) -> None:
    result = run(
        project,
        f"""
@pytest.mark.environment("trio", faults={faults})
def test_wrong(environment):
    pass
""",
    )
    result.stdout.fnmatch_lines(said)
    assert result.ret != 0
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    result.stdout.no_fnmatch_line("*During handling of the above exception*")


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["one process", "a worker"])
@pytest.mark.parametrize("parameter", ["environment", ""], ids=["fixture", "marker alone"])
def test_a_name_that_is_not_in_the_file_is_told_before_the_environment_is_waited_for(
    project: pytest.Pytester, parameter: str, workers: tuple[str, ...]
) -> None:
    never = (
        "version: 1\nservices:\n  worker: {replicas: 2, command: [sleep, '9'], health: [{exec: {shell: 'exit 1'}}]}\n"
    )
    (project.path / "environments" / "never.yaml").write_text(never)
    result = run(
        project,
        f"""
@pytest.mark.environment("never", faults=[{{"kill": "worker.9"}}])
def test_wrong({parameter}):
    pass

@pytest.mark.environment("never", faults=[{{"kill": "worker.9"}}])
@pytest.mark.skipif("True")
def test_skipped({parameter}):
    pass
""",
        *workers,
    )

    result.assert_outcomes(errors=1, skipped=1)
    result.stdout.fnmatch_lines(
        ["*test_wrong: the marker environment has wrong faults:", "faults?0?: *worker.9* (*worker.0, worker.1*)"]
    )
