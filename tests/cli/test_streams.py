"""Standard streams that are closed or full, and a terminal that goes away: never a bug, and nothing goes on running."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest


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
