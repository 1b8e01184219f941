"""A detached session that goes away while tests run in it: pytest's report comes nevertheless, and says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from envspec.session import registry
from envspec.session.control import Control

PAIR = 'version: 1\nservices: {a: {command: [sleep, "1000"]}}'
DOWN = """
import subprocess, sys
import pytest

@pytest.mark.parametrize("number", range(4))
def test_x(environment, number):
    subprocess.run([sys.executable, "-m", "envspec", "down", environment.id], capture_output=True)
"""
KILLED = """
import json, os, signal

def test_x(environment):
    os.kill(json.loads((environment.dir / "session.json").read_text())["pid"], signal.SIGKILL)
    signal.pause()
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.Pytester]:
    """A project with an environment `z`; whatever was kept is stopped in the end."""
    monkeypatch.setenv("ENVSPEC_CACHE_DIR", str(pytester.path / "cache"))
    pytester.makefile(".toml", pyproject="")
    (pytester.mkdir("environments") / "z.yaml").write_text(PAIR)
    yield pytester
    for entry in registry.sessions():
        Control(entry.directory).stop("the test is over")


@pytest.mark.parametrize(
    ("tests", "options"),
    [(DOWN, ["--env-keep"]), (DOWN, ["--env-warm", "-n2"]), (KILLED, ["--env-warm"])],
    ids=["down", "workers", "killed"],
)
def test_the_report_is_written_and_tells_of_a_session_that_ended(
    project: pytest.Pytester, tests: str, options: list[str]
) -> None:
    project.makepyfile(tests)
    result = project.runpytest_subprocess("--env=z", "-p", "no:cacheprovider", *options)

    assert "Traceback" not in result.stderr.str()
    result.stdout.re_match_lines(
        [r"envspec: z is gone: the session z-\w+ ended during the run", r"=+ .*(failed|error).* in .*"]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_what_is_gone_can_be_looked_at(project: pytest.Pytester) -> None:
    project.makepyfile("""
seen = []

def test_x(environment):
    seen.append((environment.id, environment, environment["a"]))

def test_y():
    [(name, environment, service)] = seen
    environment._handle.stop("gone")
    assert repr(environment) == f"<Environment {name}: gone>"
    assert repr(service) == "<Service a: gone>"
""")
    result = project.runpytest_subprocess("--env=z", "--env-keep", "--env-order=keep", "-p", "no:cacheprovider")

    result.assert_outcomes(passed=2)
