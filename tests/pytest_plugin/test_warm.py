"""Environments that stay warm between runs: borrowed where they are what would be started, and left for the next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest

from envspec.plan import identity
from envspec.session import registry
from envspec.session.control import Control
from envspec.session.status import SessionStatus
from tests.session.running import eventually

WEB = """
version: 1
vars: {word: one}
services:
  web:
    use: http-server
    env: {WORD: "{{ vars.word }}"}
    health: [{exec: {shell: "! [ -e {{ project }}/ill ]"}}]
    reset: [{exec: {shell: "echo reset >> {{ project }}/resets"}}]
"""
TEST = """
from pathlib import Path

def test_it(environment):
    with open("used", "a") as file:
        print(environment.id, environment["web"].pid, file=file)
    assert environment["web"].state == "healthy"
"""
HOLDS = """
import time
from pathlib import Path

def test_it(environment):
    with open("used", "a") as file:
        print(environment.id, environment["web"].pid, file=file)
    deadline = time.monotonic() + 60
    while not Path("go").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.Pytester]:
    """A project with an environment `web`; whatever stays warm is stopped in the end."""
    monkeypatch.setenv("ENVSPEC_CACHE_DIR", str(pytester.path / "cache"))
    pytester.makefile(".toml", pyproject="")
    (pytester.mkdir("environments") / "web.yaml").write_text(WEB)
    pytester.makepyfile(TEST)
    yield pytester
    for entry in registry.sessions():
        Control(entry.directory).stop("the test is over")


def used(project: pytest.Pytester) -> list[str]:
    """Return session and pid of the service, for each test that ran."""
    return (project.path / "used").read_text().splitlines()


def only() -> SessionStatus:
    (entry,) = registry.sessions()
    return Control(entry.directory).status()


def is_free() -> bool:
    return not only().lent_to


def test_the_second_run_uses_what_the_first_one_left(project: pytest.Pytester) -> None:
    first = project.runpytest_subprocess("--env=web", "--env-warm")
    first.assert_outcomes(passed=1)
    first.stdout.fnmatch_lines([f"*web stays up for 30 min 0 s: envspec down {only().id}"])
    assert not (project.path / "resets").exists()
    second = project.runpytest_subprocess("--env=web", "--env-warm")
    second.assert_outcomes(passed=1)
    assert "not used" not in second.stdout.str()
    assert len(set(used(project))) == 1
    assert (project.path / "resets").read_text() == "reset\n"
    eventually(is_free)
    assert only().ends is not None


OWN = """
import pytest

@pytest.mark.environment("web", scope="function")
@pytest.mark.parametrize("number", range(4))
def test_own(environment, number):
    with open("used", "a") as file:
        print(environment.id, environment["web"].pid, file=file)
"""


@pytest.mark.parametrize("option", ["--env-warm", "--env-attach"])
def test_what_a_test_has_for_itself_is_neither_borrowed_nor_left(project: pytest.Pytester, option: str) -> None:
    project.runpytest_subprocess("--env=web", "--env-warm").assert_outcomes(passed=1)
    warm = only().id
    project.makepyfile(test_own=OWN)
    for _ in range(2):
        run = project.runpytest_subprocess("--env-up=1", option, "test_own.py")
        run.assert_outcomes(passed=4)
        assert "not used" not in run.stdout.str()
        assert "stays up" not in run.stdout.str()
    assert only().id == warm
    assert len(set(used(project))) == 9


def test_a_session_that_somebody_started_is_used_and_left(project: pytest.Pytester) -> None:
    assert project.run(sys.executable, "-m", "envspec", "up", "web", "-d").ret == 0
    before = only()
    run = project.runpytest_subprocess("--env=web", "--env-attach")
    run.assert_outcomes(passed=1)
    assert used(project) == [f"{before.id} {before.services['web'].pid}"]
    assert "envspec down" not in run.stdout.str()
    eventually(is_free)
    assert only().ends is None


def test_where_none_runs_attach_starts_one_and_stops_it(project: pytest.Pytester) -> None:
    run = project.runpytest_subprocess("--env=web", "--env-attach")
    run.assert_outcomes(passed=1)
    assert "not used" not in run.stdout.str()
    assert registry.sessions() == []


def test_what_differs_is_said_once_and_another_one_is_started(project: pytest.Pytester) -> None:
    project.runpytest_subprocess("--env=web", "--env-warm")
    warm = only().id
    run = project.runpytest_subprocess("--env=web", "--env-attach", "--env-set", "word=two")
    run.assert_outcomes(passed=1)
    lines = [line for line in run.outlines if "not used" in line or "→" in line]
    assert lines == [
        f"envspec: {warm} is not used: it differs from what would be started now",
        "envspec:   services.web.env.WORD: one → two",
    ]
    assert len(set(used(project))) == 2
    assert only().id == warm, "what this run started is stopped, what it found is left"


def test_after_an_edit_the_new_one_takes_the_place_of_the_warm_one(project: pytest.Pytester) -> None:
    project.runpytest_subprocess("--env=web", "--env-warm")
    before = only().id
    file = project.path / "environments" / "web.yaml"
    file.write_text(file.read_text().replace("one", "another"))
    run = project.runpytest_subprocess("--env=web", "--env-warm")
    run.assert_outcomes(passed=1)
    run.stdout.fnmatch_lines([f"*{before} is not used: it differs*", f"envspec: {before} was stopped"])
    assert only().id != before


def test_warm_ones_of_other_vars_stay_beside_each_other(project: pytest.Pytester) -> None:
    project.runpytest_subprocess("--env=web", "--env-warm")
    first = only().id
    project.runpytest_subprocess("--env=web", "--env-warm", "--env-set", "word=two")
    assert len(registry.sessions()) == 2
    run = project.runpytest_subprocess("--env=web", "--env-warm")
    assert "was stopped" not in run.stdout.str()
    assert used(project)[-1].split()[0] == first


def test_the_workers_of_a_run_share_what_it_borrowed(project: pytest.Pytester) -> None:
    project.makepyfile(
        f"import pytest\npytestmark = pytest.mark.parametrize('number', range(4))\n"
        f"{TEST.replace('(environment)', '(environment, number)')}"
    )
    for _ in range(2):
        project.runpytest_subprocess("--env=web", "--env-warm", "-n2").assert_outcomes(passed=4)
    assert len(used(project)) == 8
    assert len(set(used(project))) == 1
    assert (project.path / "resets").read_text() == "reset\n", "once for the run, not for each worker"


def _run(project: pytest.Pytester, *options: str) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--env=web", *options]
    nobody = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process: subprocess.Popen[bytes] = project.popen(argv, **nobody)  # with the variables that its other runs have
    return process


def test_of_two_runs_at_once_one_borrows_it(project: pytest.Pytester) -> None:
    project.runpytest_subprocess("--env=web", "--env-warm").assert_outcomes(passed=1)
    warm = only().id
    project.makepyfile(test_holds=HOLDS)
    other = _run(project, "--env-warm", "test_holds.py")
    eventually(lambda: "pytest in" in only().lent_to)
    run = project.runpytest_subprocess("--env=web", "--env-attach", "--deselect", "test_holds.py")
    run.assert_outcomes(passed=1, deselected=1)
    run.stdout.fnmatch_lines([f"envspec: {warm} is not used: it is lent to pytest in {project.path} (pid {other.pid})"])
    (project.path / "go").touch()
    assert other.wait() == 0
    sessions = [line.split()[0] for line in used(project)]
    assert sessions[0] == sessions[1] == warm
    assert sessions[2] != warm


def test_a_run_that_is_killed_has_given_it_back(project: pytest.Pytester) -> None:
    project.makepyfile(test_holds=HOLDS)
    run = _run(project, "--env-warm", "test_holds.py")
    eventually((project.path / "used").exists)
    run.send_signal(signal.SIGKILL)
    run.wait()
    eventually(is_free)
    assert only().ends is not None
    project.runpytest_subprocess("--env=web", "--env-warm", "--deselect", "test_holds.py").assert_outcomes(
        passed=1, deselected=1
    )
    assert len(set(used(project))) == 1


def test_it_ends_when_its_time_is_over(project: pytest.Pytester) -> None:
    project.runpytest_subprocess("--env=web", "--env-warm", "--env-ttl=10ms").assert_outcomes(passed=1)
    eventually(lambda: registry.sessions() == [])


def test_a_time_without_a_unit_is_refused(project: pytest.Pytester) -> None:
    run = project.runpytest_subprocess("--env=web", "--env-warm", "--env-ttl=10")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines(["*--env-ttl: *unit*"])


def test_a_warm_one_that_fell_ill_is_replaced(project: pytest.Pytester) -> None:
    project.runpytest_subprocess("--env=web", "--env-warm").assert_outcomes(passed=1)
    ill = only().id
    Control(registry.sessions()[0].directory).fault("kill", "web")
    eventually(lambda: only().state == "degraded")
    run = project.runpytest_subprocess("--env=web", "--env-warm")
    run.assert_outcomes(passed=1)
    run.stdout.fnmatch_lines([f"envspec: {ill} is not used: it is degraded: *", f"envspec: {ill} was stopped"])
    assert only().id != ill


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_one_that_breaks_down_during_the_run_is_replaced(project: pytest.Pytester, workers: str) -> None:
    project.makepyfile(
        """
import os, signal, time

def write(environment):
    with open("used", "a") as file:
        print(environment.id, file=file)

def test_breaks(environment):
    write(environment)
    os.kill(environment["web"].pid, signal.SIGKILL)
    time.sleep(60)

def test_next(environment):
    write(environment)
    assert environment["web"].state == "healthy"
"""
    )
    run = project.runpytest_subprocess("--env=web", "--env-warm", "--env-on-crash=restart", workers)
    run.assert_outcomes(passed=1, failed=1)
    broken, fresh = used(project)
    run.stdout.fnmatch_lines([f"*{broken} is not used: it is degraded: *", f"*{broken} was stopped"])
    assert "it is lent to" not in run.stdout.str()
    assert only().id == fresh


def test_one_that_a_person_started_is_left_when_it_breaks_down(project: pytest.Pytester) -> None:
    assert project.run(sys.executable, "-m", "envspec", "up", "web", "-d").ret == 0
    theirs = only().id
    project.makepyfile(
        """
import os, signal, time

def test_breaks(environment):
    os.kill(environment["web"].pid, signal.SIGKILL)
    time.sleep(60)

def test_next(environment):
    assert environment["web"].state == "healthy"
"""
    )
    run = project.runpytest_subprocess("--env=web", "--env-attach", "--env-on-crash=restart")
    run.assert_outcomes(passed=1, failed=1)
    run.stdout.fnmatch_lines([f"*{theirs} is not used: it is degraded: *"])
    assert only().id == theirs


def test_a_changed_binary_and_a_changed_file_are_named(project: pytest.Pytester) -> None:
    tool, config = project.path / "tool", project.path / "tool.conf"
    tool.write_text("#!/bin/sh\nexec sleep 1000\n")
    tool.chmod(0o755)
    config.write_text("one")
    (project.path / "environments/web.yaml").write_text(
        f"version: 1\nservices: {{web: {{command: ['{tool}', '--config={config}']}}}}"
    )
    project.runpytest_subprocess("--env=web", "--env-warm").assert_outcomes(passed=1)
    config.write_text("two")
    tool.write_text("#!/bin/sh\nexec sleep 2000\n")
    run = project.runpytest_subprocess("--env=web", "--env-attach")
    run.assert_outcomes(passed=1)
    run.stdout.fnmatch_lines_random(
        [
            f"envspec:   services.web.file {config}: 3 bytes, {identity.digest('one')} → 3 bytes, *",
            "envspec:   services.web.program.file: * bytes, changed * → * bytes, changed *",
        ]
    )


def test_ps_shows_who_has_it_and_what_is_left_of_its_time(project: pytest.Pytester) -> None:
    project.makepyfile(test_holds=HOLDS)
    run = _run(project, "--env-warm", "test_holds.py")
    eventually((project.path / "used").exists)
    ps = [sys.executable, "-m", "envspec", "ps"]
    shown = subprocess.run(ps, check=True, capture_output=True, text=True, env=_wide()).stdout
    assert f"identity {only().identity}  lent to pytest in {project.path} (pid {run.pid})" in shown
    (project.path / "go").touch()
    assert run.wait() == 0
    eventually(is_free)
    shown = subprocess.run(ps, check=True, capture_output=True, text=True, env=_wide()).stdout
    assert f"identity {only().identity}  ends in " in shown


def _wide() -> dict[str, str]:
    return {**os.environ, "COLUMNS": "300"}


@pytest.mark.parametrize("workers", [(), ("-n1",)], ids=["alone", "xdist"])
def test_a_run_that_attached_claims_no_start(project: pytest.Pytester, workers: tuple[str, ...]) -> None:
    project.runpytest_subprocess("--env=web", "--env-warm")
    began = only().seconds
    second = project.runpytest_subprocess(
        "--env=web", "--env-warm", "--env-timeline", "--junit-xml=junit.xml", *workers
    )

    second.assert_outcomes(passed=1)
    second.stdout.re_match_lines(
        [
            rf"envspec: web was already up, attached in .* \(session {only().id}\)",
            r"●  web +attached in .* 1 in .* left up",
        ]
    )
    second.stdout.no_re_match_line(".*is healthy in")
    found = {
        item.get("name"): item.get("value") for item in ElementTree.parse(project.path / "junit.xml").iter("property")
    }
    assert began is not None
    assert found["envspec.start_seconds"] != str(round(began, 3))
