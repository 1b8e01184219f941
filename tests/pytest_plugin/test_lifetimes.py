"""Environments that a module, or a test, has for itself."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.shared_run import events, prepare, starts, told


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    prepare(pytester)
    return pytester


MODULE = """
import pytest

pytestmark = pytest.mark.environment("web", scope="module")

def test_one(told): pass
def test_two(told): pass
"""


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_each_module_has_its_own(project: pytest.Pytester, workers: str) -> None:
    project.makepyfile(test_a=MODULE, test_b=MODULE.replace("test_one", "test_three"))

    project.runpytest_subprocess(workers).assert_outcomes(passed=4)

    by_module = [one.session for one in told(project.path) if one.test in ("test_one", "test_three")]
    assert len(set(by_module)) == len({one.session for one in told(project.path)}) == 2


def test_each_test_has_its_own_and_so_has_each_of_its_parameters(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
import pytest

@pytest.mark.environment(scope="function")
@pytest.mark.parametrize("number", [1, 2])
def test_own(told, number): pass

def test_shared(told): pass
def test_shared_too(told): pass
"""
    )

    project.runpytest_subprocess("--env=web").assert_outcomes(passed=4)

    sessions = {one.test: one.session for one in told(project.path)}
    assert sessions["test_shared"] == sessions["test_shared_too"]
    assert len(set(sessions.values())) == 3


def test_what_depends_on_it_is_torn_down_before_it_goes(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
import pytest

@pytest.fixture(scope="session")
def client(environment):
    yield environment.id
    assert environment["web"].state == "healthy"
    print("let go of", environment.name)

@pytest.mark.environment("web")
def test_web(client): pass

@pytest.mark.environment("other")
def test_other(client, environment):
    assert client == environment.id
"""
    )

    result = project.runpytest_subprocess("-s", "--env-up=1")

    result.assert_outcomes(passed=2)
    said = str(result.stdout)
    assert said.index("let go of web") < said.index("let go of other")
    stopping = [name for name, event in events() if event["event"] == "session-stopping"]
    assert stopping == ["web", "other"]


def test_a_marked_test_without_the_fixture_shares_it_too(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
import pytest

@pytest.mark.environment("web")
def test_fixture(told): pass

@pytest.mark.environment("web")
def test_marker(): pass

@pytest.mark.environment("web", "other")
def test_both(): pass
"""
    )

    project.runpytest_subprocess().assert_outcomes(passed=3)

    assert sorted(starts()) == ["other", "web"]


def test_an_environment_that_a_test_asks_for_by_its_fixture_s_name_stays(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
def test_one(request):
    assert request.getfixturevalue("environment")["web"].state == "healthy"

def test_two(): pass

def test_three(request):
    assert request.getfixturevalue("environment")["web"].state == "healthy"
"""
    )

    project.runpytest_subprocess("--env=web").assert_outcomes(passed=3)

    assert starts() == ["web"]


def test_an_unknown_scope_is_named_with_those_that_there_are(project: pytest.Pytester) -> None:
    project.makepyfile("import pytest\n@pytest.mark.environment('web', scope='class')\ndef test_it(): pass\n")

    result = project.runpytest_subprocess()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no scope 'class'", "hint: there are: session, module, function"])
