"""What the owner's side starts: commands in the foreground, and sessions that outlive their terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from envspec.agent.launch import guardian_argv, spawn_detached, spawn_foreground
from tests.agent.agent_client import wait_gone


def test_a_foreground_command_shares_terminal_group_and_directory() -> None:
    with spawn_foreground(["sh", "-c", "exit 7"], {"PATH": os.environ["PATH"]}) as process:
        assert os.getpgid(process.pid) == os.getpgid(0)
        assert process.wait() == 7


def test_a_foreground_command_that_does_not_exist_is_the_callers_error() -> None:
    with pytest.raises(FileNotFoundError):
        spawn_foreground(["no-such-command"], {"PATH": "/bin"})


def test_a_detached_process_has_a_session_of_its_own_and_the_descriptors_it_was_given(tmp_path: Path) -> None:
    log, (reading, writing) = tmp_path / "log", os.pipe()
    code = f"import os; os.write({writing}, str(os.getsid(0)).encode()); print(os.readlink('/proc/self/fd/0'))"
    with spawn_detached([sys.executable, "-c", code], {}, log, inherited=[writing]) as process:
        os.close(writing)
        assert os.read(reading, 20) == str(process.pid).encode()
        assert process.wait() == 0
    os.close(reading)
    assert log.read_text() == "/dev/null\n"


def test_a_guardian_whose_owner_is_already_gone_starts_nothing() -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    argv = guardian_argv(owner=gone.pid)
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True) as guardian:
        assert guardian.wait(10) == 0
    wait_gone([guardian.pid])


def test_a_guardian_that_is_not_its_owners_child_starts_nothing() -> None:
    with subprocess.Popen(guardian_argv(owner=1), stdin=subprocess.DEVNULL, start_new_session=True) as guardian:
        assert guardian.wait(10) == 0
