"""Standard streams that are closed or full, and a terminal that goes away: never a bug, and nothing goes on running."""

from __future__ import annotations

import ast
import json
import os
import pty
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import envspec.cli
import envspec.report
from envspec.cli.streams import STAND_INS

OURS = [Path(package.__path__[0]) for package in (envspec.cli, envspec.report)]
C_LOCALE = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
"""ASCII, as where neither the system nor Python knows better."""


def shell(envspec: Any, command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell's command line with `envspec` in it, to its end."""
    return subprocess.run(
        ["sh", "-c", command.replace("envspec", envspec.program)],
        cwd=envspec.project, env=envspec.environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_a_closed_stream_is_one_that_nobody_reads(envspec: Any, web: str, closed: str, processes_of: Any) -> None:
    envspec.write(web)
    result = shell(envspec, f"envspec ps {closed} && envspec up -d {closed} && envspec down {closed}")

    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    processes_of(envspec, gone=True)


@pytest.mark.parametrize("command", ["list", "schema", "up", "up -d"])
def test_a_full_disk_behind_stdout_is_said_and_leaves_nothing(
    envspec: Any, web: str, command: str, processes_of: Any
) -> None:
    envspec.write(web)
    result = shell(envspec, f"envspec {command} >/dev/full")

    assert result.stderr == "error: cannot write to standard output: No space left on device\n"
    assert result.returncode == 1
    processes_of(envspec, gone=True)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("run local -- touch ran 2>/dev/full", 125),
        ("run nope -- touch ran 2>/dev/full", 125),
        ("run local -- touch ran 2>&1 | exec 0<&-", 125),
        ("up -d >/dev/full 2>&1", 1),
        ("up >/dev/full 2>&1", 1),
        ("ps --format json >/dev/full 2>&1", 1),
        ("up nope 2>/dev/full", 2),
    ],
)
def test_nothing_that_cannot_be_written_is_pythons_to_judge(
    envspec: Any, web: str, command: str, code: int, processes_of: Any
) -> None:
    envspec.write(web)

    command, pipe, reader = command.partition("|")
    shell(envspec, f"(envspec {command}; echo $? >code) {pipe} {reader}")

    assert (envspec.project / "code").read_text() == f"{code}\n"
    assert not (envspec.project / "ran").exists()
    processes_of(envspec, gone=True)


def test_a_reader_of_logs_that_has_seen_enough_is_no_failure(envspec: Any) -> None:
    envspec.write("version: 1\nservices: {web: {shell: 'while :; do echo y; sleep 0.05; done'}}\n")
    envspec("up", "-d")

    result = shell(envspec, "(envspec logs -f; echo $? >code) | head -n 2")

    assert (result.stdout, result.stderr) == ("y\ny\n", "")
    assert (envspec.project / "code").read_text() == "0\n"


def test_a_terminal_that_is_closed_is_the_stop_that_a_hangup_is(
    envspec: Any, web: str, eventually: Callable[..., Any], processes_of: Any
) -> None:
    envspec.write(web)
    pid, screen = pty.fork()
    if pid == 0:
        os.chdir(envspec.project)
        os.execve(envspec.program, [envspec.program, "up"], {**envspec.environ, "TERM": "xterm"})
    seen = b""
    while b"stop  Ctrl-C" not in re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", seen):
        seen += os.read(screen, 65536)
    os.close(screen)
    eventually(lambda: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT), "its end")

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    processes_of(envspec, gone=True)


@pytest.fixture(params=[{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}, C_LOCALE], ids=str)
def narrow(request: pytest.FixtureRequest, envspec: Any) -> Callable[..., str]:
    """Run a command whose output has an encoding that lacks our marks, and return what it writes to either stream."""

    def run(*argv: str, code: int = 0) -> str:
        result = subprocess.run(
            [envspec.program, *argv],
            cwd=envspec.project, env={**envspec.environ, **request.param}, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        written = (result.stdout + result.stderr).decode("latin-1")
        assert result.returncode == code, written
        return written

    return run


def test_an_encoding_without_our_marks_has_others(envspec: Any, web: str, narrow: Callable[..., str]) -> None:
    envspec.write(web)

    assert "* local is healthy" in narrow("up", "-d")
    assert "* local" in narrow("ps")
    assert "# on the critical path" in narrow("timeline")
    assert "local" in narrow("down", "--all")
    assert envspec.live == []


def test_what_nobody_foresaw_stands_as_an_escape(envspec: Any, narrow: Callable[..., str]) -> None:
    envspec.write("version: 1\nservices: {漢字: {command: [sleep, '60']}}\n", "wrong")

    assert "\\u6f22\\u5b57" in narrow("check", code=2)
    assert "\\u6f22\\u5b57" in narrow("up", "wrong", code=2)


@pytest.mark.parametrize("form", ["json", "sarif"])
def test_json_says_the_same_in_every_encoding(envspec: Any, narrow: Callable[..., str], form: str) -> None:
    envspec.write("version: 1\nservices: {é…漢😀: {command: [sleep, '60']}}\n", "wrong")

    in_utf8 = envspec("check", "--format", form).stdout

    assert json.loads(narrow("check", "--format", form, code=2)) == json.loads(in_utf8)


def test_every_mark_of_ours_has_a_stand_in() -> None:
    strings = [
        node.value
        for folder in OURS
        for file in folder.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]

    assert {letter for text in strings for letter in text if not letter.isascii()} <= STAND_INS.keys()
