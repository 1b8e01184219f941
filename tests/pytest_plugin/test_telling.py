"""What is seen of a start while it lasts, and of the time it took at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.pytest_plugin.screen import Screen

SLOW = """
version: 1
services:
  early:
    command: [sleep, "1000"]
  late:
    command: [sleep, "1000"]
    health: [{exec: {shell: "test -e PROJECT/go || { echo not yet; exit 1; }"}}]
"""

TESTS = """
import pathlib
def test_without(): pass
def test_with(environment): pass
def test_with_too(environment): pass
"""

IMPATIENT = """
from envspec.pytest_plugin import start_lines
start_lines.PATIENCE = start_lines.LOOK = 0.05
"""

WAITING = "waiting for late (exec: exit code 1: not yet)"


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    (pytester.mkdir("environments") / "slow.yaml").write_text(SLOW.replace("PROJECT", str(pytester.path)))
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\n")
    pytester.makepyfile(TESTS, impatient=IMPATIENT)
    return pytester


@pytest.fixture
def on_screen(project: pytest.Pytester) -> Iterator[Callable[..., Screen]]:
    with ExitStack() as ended:
        yield lambda argv, columns=80: ended.enter_context(Screen(argv, project.path, environ(project), columns))


def argv(*options: str) -> list[str]:
    return [sys.executable, "-m", "pytest", "-p", "impatient", "--env=slow", *options]


def environ(project: pytest.Pytester) -> dict[str, str]:
    ours = {"PYTHONPATH": os.pathsep.join([str(project.path), os.environ.get("PYTHONPATH", "")])}
    return {name: value for name, value in os.environ.items() if name not in ("CI", "COLUMNS", "NO_COLOR")} | ours


def go(project: pytest.Pytester) -> None:
    (project.path / "go").touch()


@pytest.mark.parametrize(
    ("columns", "options"), [(80, []), (120, []), (80, ["-v"]), (120, ["-s"]), (80, ["-n2"]), (120, ["-n2"])]
)
def test_a_terminal_has_one_live_line_that_leaves_no_trace(
    project: pytest.Pytester, on_screen: Callable[..., Screen], options: list[str], columns: int
) -> None:
    screen = on_screen(argv("--color=yes", *options), columns)
    seen = screen.until(lambda lines: WAITING in lines[-1])
    assert [line for line in seen if "waiting for" in line] == [seen[-1]]
    screen.until(lambda lines: " 2 s, waiting" in lines[-1] or " 1 s, waiting" in lines[-1])
    go(project)

    assert screen.finish() == 0
    assert [line for line in screen.lines if "waiting for" in line or "starting" in line] == []
    assert any("envspec: slow is healthy" in line for line in screen.lines)
    assert any("3 passed" in line for line in screen.lines)
    if not options:
        begun = screen.lines.index("test_a_terminal_has_one_live_line_that_leaves_no_trace.py .")
        assert screen.lines[begun + 1].startswith("envspec: slow is healthy")
    if options in ([], ["-n2"]):
        assert any(line.endswith("[100%]") and len(line) == columns - 1 for line in screen.lines)


def test_in_a_narrow_terminal_the_line_is_cut(project: pytest.Pytester, on_screen: Callable[..., Screen]) -> None:
    screen = on_screen(argv(), columns=40)
    seen = screen.until(lambda lines: "waiting for late (" in lines[-1])
    assert len(seen[-1]) == 39
    assert seen[-1].endswith("…")
    go(project)
    assert screen.finish() == 0


@pytest.mark.parametrize("options", [[], ["-v"], ["-n2"]], ids=" ".join)
def test_without_a_terminal_a_plain_line_comes_now_and_then(project: pytest.Pytester, options: list[str]) -> None:
    read = []
    with subprocess.Popen(
        argv(*options), cwd=project.path, env=environ(project), stdout=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout or ():
            read.append(line.rstrip())
            if WAITING in line:
                go(project)
    assert process.returncode == 0
    assert read.count("envspec: starting slow …") == 1
    told = [line for line in read if WAITING in line]
    assert told
    assert all(line.startswith("envspec: slow: ") for line in told)
    assert "\x1b" not in "".join(read)
    assert any("3 passed" in line for line in read)


def test_each_worker_that_has_its_own_tells_what_it_waits_for(project: pytest.Pytester) -> None:
    read, telling = [], set()
    with subprocess.Popen(
        argv("-n2", "--env-per-worker"),
        cwd=project.path,
        env=environ(project),
        stderr=subprocess.PIPE,
        text=True,
        stdout=subprocess.DEVNULL,
    ) as process:
        for line in process.stderr or ():
            read.append(line.rstrip())
            if WAITING in line:
                telling.add(line.split(" slow: ")[0])
            if telling == {"envspec: gw0:", "envspec: gw1:"}:
                go(project)
    assert process.returncode == 0
    begun = sorted(line for line in read if "starting" in line)
    assert begun == ["envspec: gw0: starting slow …", "envspec: gw1: starting slow …"]


def test_a_dumb_terminal_gets_plain_lines(project: pytest.Pytester, on_screen: Callable[..., Screen]) -> None:
    screen = on_screen(["env", "TERM=dumb", *argv()])
    screen.until(lambda lines: any(WAITING in line for line in lines[:-1]))
    go(project)
    assert screen.finish() == 0
    assert "\x1b[A" not in screen.raw


@pytest.mark.parametrize("options", [["-q"], ["-q", "-n2"], ["-q", "-n1", "--env-per-worker"]], ids=" ".join)
def test_quiet_runs_have_nothing_of_it(
    project: pytest.Pytester, on_screen: Callable[..., Screen], options: list[str]
) -> None:
    go(project)
    screen = on_screen(argv(*options))
    assert screen.finish() == 0
    assert "envspec" not in screen.raw


def test_ctrl_c_while_it_starts_leaves_no_line_behind(on_screen: Callable[..., Screen]) -> None:
    screen = on_screen(argv())
    screen.until(lambda lines: WAITING in lines[-1])
    screen.interrupt()
    assert screen.finish() == pytest.ExitCode.INTERRUPTED
    assert [line for line in screen.lines if "waiting for" in line] == []


@pytest.mark.parametrize("options", [[], ["-n2"], ["-q"]], ids=" ".join)
def test_the_timeline_tells_start_tests_and_stop(project: pytest.Pytester, options: list[str]) -> None:
    go(project)
    result = project.runpytest_subprocess("--env=slow", "--env-timeline", *options)
    assert result.ret == 0
    result.stdout.re_match_lines(
        [
            r"-+ environments -+",
            r"   environment  start +tests +stop +session",
            r"●  slow +\d.* +2 in \d.*m?s +\d.* m?s +slow-\w{5}",
            r"    critical path: envspec .* → (early|late) ",
        ]
    )


@pytest.mark.parametrize("options", [["--env-per-worker", "-n2"], ["--dist=each", "-n2", "-q"]], ids=" ".join)
def test_the_timeline_has_the_environments_of_each_worker(project: pytest.Pytester, options: list[str]) -> None:
    go(project)
    result = project.runpytest_subprocess("--env=slow", "--env-timeline", *options)
    assert result.ret == 0
    each = 2 if "--dist=each" in options else 1  # of two tests, a worker has one
    row = rf"●  slow +\d.* +{each} in \d.*m?s +\d.* m?s +slow-\w{{5}}"
    result.stdout.re_match_lines([r"-+ environments -+", *[row, r"    critical path: envspec .* → (early|late) "] * 2])


def test_without_the_option_there_is_no_timeline(project: pytest.Pytester) -> None:
    go(project)
    project.runpytest_subprocess("--env=slow").stdout.no_fnmatch_line("*critical path*")


def test_a_run_within_a_run_has_no_terminal_and_needs_none(project: pytest.Pytester) -> None:
    go(project)
    result = project.runpytest_inprocess("--env=slow")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["envspec: slow is healthy in *"])


def test_a_skipped_test_stays_in_its_line(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_line="""
import pytest

def test_first(): pass

@pytest.mark.skip
def test_skipped(environment): pass
"""
    )

    result = project.runpytest_subprocess("--env=slow", "test_line.py")

    result.stdout.fnmatch_lines(["test_line.py .s *"])
