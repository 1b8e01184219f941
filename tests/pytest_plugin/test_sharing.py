"""One environment for all workers of xdist: who has it, who owns it, and what becomes of it when somebody dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.pytest_plugin.shared_run import most_at_once, prepare, starts, told

MANY = """
import pytest

@pytest.mark.parametrize("number", range(8))
def test_it(told, number): pass
"""


SPREAD = MANY.replace("told", "both")


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    prepare(pytester)
    return pytester


def test_all_workers_use_one_environment(project: pytest.Pytester) -> None:
    project.makepyfile(SPREAD)

    project.runpytest_subprocess("--env=web", "-n2").assert_outcomes(passed=8)

    assert len({one.session for one in told(project.path)}) == 1
    assert {one.worker for one in told(project.path)} == {"gw0", "gw1"}
    assert starts() == ["web"]


def test_each_worker_has_its_own_if_that_is_wanted(project: pytest.Pytester) -> None:
    project.makepyfile(SPREAD)

    project.runpytest_subprocess("--env=web", "--env=other", "-n2", "--env-per-worker").assert_outcomes(passed=16)

    had = {(one.worker, one.environment, one.session) for one in told(project.path)}
    assert len(had) == len({session for _, _, session in had}) == 4


def test_several_environments_are_shared(project: pytest.Pytester) -> None:
    project.makepyfile(SPREAD)

    project.runpytest_subprocess("--env=web", "--env=other", "-n2").assert_outcomes(passed=16)

    assert sorted(starts()) == ["other", "web"]
    for name in ("web", "other"):
        assert {one.worker for one in told(project.path) if one.environment == name} == {"gw0", "gw1"}


@pytest.mark.parametrize("dist", ["", "--dist=load", "--dist=loadfile"])
def test_an_environment_that_only_a_marker_names_is_shared_too(project: pytest.Pytester, dist: str) -> None:
    marked = MANY.replace("def test_it", "@pytest.mark.environment('web')\ndef test_it")
    project.makepyfile(test_a=marked, test_b=marked)

    project.runpytest_subprocess("-n2", *filter(None, [dist])).assert_outcomes(passed=16)

    assert starts() == ["web"]


def test_with_environments_tests_are_handed_out_by_a_scheduler_of_our_own(project: pytest.Pytester) -> None:
    project.makepyfile(MANY)

    ours = project.runpytest_subprocess("--env=web", "-n2", "-v")
    theirs = project.runpytest_subprocess("--env=web", "-n2", "-v", "--dist=worksteal")
    kept = project.runpytest_subprocess("--env=web", "-n2", "-v", "--env-order=keep")

    ours.stdout.fnmatch_lines(["scheduling tests via EnvironmentScheduling"])
    theirs.stdout.fnmatch_lines(["scheduling tests via WorkStealingScheduling"])
    kept.stdout.fnmatch_lines(["scheduling tests via LoadScheduling"])


def test_a_worker_that_crashes_harms_nobody(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
import os, pathlib, signal

def test_crash(told):
    os.kill(os.getpid(), signal.SIGKILL)

def test_beside(told, until, request):
    until("after")
    assert told.state == "healthy"

def test_after(told, request):
    (request.config.rootpath / "after").touch()

def test_last(told): pass
"""
    )

    result = project.runpytest_subprocess("--env=web", "-n2")

    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*crashed while running*test_crash*"])
    assert len({one.session for one in told(project.path)}) == 1
    assert len({one.worker for one in told(project.path)}) == 3
    assert starts() == ["web"]


def test_a_failed_start_is_tried_once_and_told_once(project: pytest.Pytester) -> None:
    project.makepyfile(MANY)

    result = project.runpytest_subprocess("--env=broken", "-n2")

    result.assert_outcomes(errors=8)
    assert str(result.stdout).count("the disk is on fire") == 1
    assert (project.path / "attempts").read_text().splitlines() == ["attempt"]


def test_a_missing_requirement_skips_in_every_worker(project: pytest.Pytester) -> None:
    file = project.path / "environments" / "web.yaml"
    file.write_text(file.read_text() + "requires: {commands: [no-such-command-anywhere]}\n")
    project.makepyfile(MANY)

    skipped = project.runpytest_subprocess("--env=web", "-n2", "-rs")
    strict = project.runpytest_subprocess("--env=web", "-n2", "--env-strict")

    skipped.assert_outcomes(skipped=8)
    skipped.stdout.fnmatch_lines(["*SKIPPED*the command no-such-command-anywhere is not on PATH*"])
    strict.assert_outcomes(errors=8)


def test_a_run_that_is_given_up_ends_though_somebody_waits_for_a_turn(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
import pytest

@pytest.mark.environment("web")
def test_fails(told, until):
    until("second")
    assert False

@pytest.mark.environment("web")
def test_second(told, request):
    (request.config.rootpath / "second").touch()

@pytest.mark.environment("other")
def test_other(told): pass

@pytest.mark.environment("third")
def test_third(told): pass
"""
    )

    result = project.runpytest_subprocess("-n2", "-x", "--env-up=1", timeout=60)

    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert result.parseoutcomes()["failed"] == 1


def test_ctrl_c_stops_everything(project: pytest.Pytester) -> None:
    project.makepyfile("import time\ndef test_it(told):\n    time.sleep(600)\n")
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--env=web", "-n2", "-p", "no:timeout", "-p", "no:cacheprovider"],
        cwd=project.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    watchdog = threading.Timer(60, run.kill)
    watchdog.start()
    try:
        while not (project.path / "told").exists():
            assert run.poll() is None
            watchdog.join(0.05)
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does
        said, _ = run.communicate()
    finally:
        watchdog.cancel()
        run.kill()

    assert run.returncode == pytest.ExitCode.INTERRUPTED, said
    listed = subprocess.run([sys.executable, "-m", "envspec", "ps"], capture_output=True, text=True, check=True)
    assert "No session runs" in listed.stdout + listed.stderr


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_a_suite_that_uses_no_environment_does_not_notice(project: pytest.Pytester, workers: str) -> None:
    project.makeconftest(
        """
import os, pathlib, sys, threading

def pytest_unconfigure(config):
    name = getattr(config, "workerinput", {}).get("workerid", "main")
    heavy = ("envspec.errors", "envspec.session", "envspec.pytest_plugin.pool")
    modules = [name for name in heavy if name in sys.modules]
    threads = [one.name for one in threading.enumerate() if one.name.startswith("envspec")]
    (config.rootpath / f"found.{name}").write_text(repr(modules + threads))
"""
    )
    project.makepyfile("def test_it(): pass\ndef test_other(): pass\n")

    project.runpytest_subprocess(workers).assert_outcomes(passed=2)

    found = {file.name: file.read_text() for file in project.path.glob("found.*")}
    assert set(found.values()) == {"[]"}
    assert len(found) == (1 if workers == "-n0" else 3)


def test_what_no_test_wants_is_not_started_for_the_list_of_tests(project: pytest.Pytester) -> None:
    project.makepyfile(MANY)

    project.runpytest_subprocess("--env=web", "-n2", "--collect-only")

    assert not Path(os.environ["ENVSPEC_STATE_DIR"], "sessions").exists()


def test_no_more_are_up_at_once_than_fit(project: pytest.Pytester) -> None:
    project.makepyfile(MANY)

    project.runpytest_subprocess("--env=web", "--env=other", "--env=third", "-n2", "--env-up=1").assert_outcomes(
        passed=24
    )

    assert sorted(starts()) == ["other", "third", "web"]
    assert most_at_once() == 1


def test_a_worker_that_borrows_does_not_import_what_starts_environments(project: pytest.Pytester) -> None:
    """Eight workers on two cores would pay four times for every module."""
    project.makepyfile(
        """
import sys

def test_it(environment): pass

def test_imports(environment):
    heavy = {"pydantic", "jinja2", "yaml", "huggingface_hub", "envspec.session.session", "envspec.resolve"}
    assert not heavy & set(sys.modules)
"""
    )

    project.runpytest_subprocess("--env=web", "-n2").assert_outcomes(passed=2)
