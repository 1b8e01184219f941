"""The marker holds where pytest gives the fixture no parameter: in unittest's cases, and by getfixturevalue."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.shared_run import starts

ENVIRONMENT = 'version: 1\nservices: {a: {command: [sleep, "1000"]}, b: {command: [sleep, "1000"]}}\n'
CASE = """
import unittest, pytest

class Base(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _take(self, environment):
        self.environment = environment
        with open("had", "a") as file:
            print(environment.name, environment.id, file=file)
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    environments = pytester.mkdir("environments")
    for name in ("z", "z1", "z2"):
        (environments / f"{name}.yaml").write_text(ENVIRONMENT)
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\n")
    return pytester


def had(project: pytest.Pytester) -> list[tuple[str, ...]]:
    return [tuple(line.split()) for line in (project.path / "had").read_text().splitlines()]


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_a_unittest_case_runs_in_what_its_marker_names(project: pytest.Pytester, workers: str) -> None:
    project.makepyfile(
        CASE
        + """
@pytest.mark.environment("z1")
class TestOne(Base):
    def test_it(self): assert self.environment.name == "z1"

@pytest.mark.environment("z2")
class TestTwo(Base):
    def test_it(self): assert self.environment.name == "z2"

class TestPlain(Base):
    def test_it(self): assert self.environment.name == "z"
"""
    )

    project.runpytest_subprocess("--env=z", workers).assert_outcomes(passed=3)

    assert sorted(starts()) == ["z", "z1", "z2"]


@pytest.mark.parametrize(("scope", "sessions"), [("session", 1), ("module", 2), ("function", 4)])
def test_the_scope_holds_in_unittest_s_cases(project: pytest.Pytester, scope: str, sessions: int) -> None:
    module = f"""{CASE}
@pytest.mark.environment("z", scope="{scope}")
class TestOne(Base):
    def test_one(self): pass
    def test_two(self): pass
"""
    project.makepyfile(test_a=module, test_b=module)

    project.runpytest_subprocess("--env-up=1").assert_outcomes(passed=4)

    assert len(set(had(project))) == sessions


def test_what_is_asked_for_by_name_is_what_the_marker_says(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
import pytest

def test_plain(request):
    assert request.getfixturevalue("environment").name == "z"

@pytest.mark.environment("z1")
def test_marked(request):
    assert request.getfixturevalue("environment").name == "z1"

def test_plain_again(request):
    assert request.getfixturevalue("environment").name == "z"

@pytest.fixture
def indirect(request):
    return request.getfixturevalue("environment")

@pytest.mark.environment("z2", scope="function")
@pytest.mark.parametrize("number", range(2))
def test_by_a_fixture(indirect, number):
    assert indirect.name == "z2"
    with open("had", "a") as file:
        print(indirect.id, file=file)

@pytest.mark.environment("z1")
def test_takes_it(environment):
    assert environment.name == "z1"
"""
    )

    project.runpytest_subprocess("--env=z", "--env-order=keep").assert_outcomes(passed=6)

    assert len(set(had(project))) == 2


def test_several_are_refused_with_the_reason_and_the_next_test_has_its_own(project: pytest.Pytester) -> None:
    project.makepyfile(
        CASE
        + """
@pytest.mark.environment("z", "z1")
def test_several(request):
    request.getfixturevalue("environment")

@pytest.mark.environment("z", "z1")
class TestSeveral(Base):
    def test_it(self): pass

@pytest.mark.environment("z2")
def test_one(request):
    assert request.getfixturevalue("environment").name == "z2"
"""
    )

    result = project.runpytest_subprocess()

    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*meant for several environments (z, z1)*unittest.TestCase, or by*",
            "*name one in its*",
        ]
    )


def test_several_of_the_command_line_are_refused_too(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(request): request.getfixturevalue('environment')\n")

    result = project.runpytest_subprocess("--env=z", "--env=z1")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*several environments (z, z1)*", "hint: give one --env, or mark it:*"])


def test_pytest_s_setup_show_says_the_name_where_there_are_several(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(environment): pass\n")

    result = project.runpytest_subprocess("--env=z", "--env=z1", "--setup-show")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*SETUP*environment[[]z[]]", "*SETUP*environment[[]z1[]]"])


def test_a_folder_or_a_test_of_that_name_wants_no_environment(project: pytest.Pytester) -> None:
    (project.mkdir("environment") / "test_inside.py").write_text("def test_inside(): pass\n")
    project.makepyfile("def environment(): pass\ndef test_environment(): pass\n")

    result = project.runpytest_subprocess("--env=z")

    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line("*starting z*")
