"""What the owner's side starts: commands in the foreground, and sessions that outlive their terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from envspec.agent.foreground import HeldCommand
from envspec.agent.launch import guardian_argv, spawn_detached
from tests.agent.agent_client import wait_gone


def test_a_foreground_command_shares_terminal_and_group() -> None:
    command = HeldCommand(["sh", "-c", "exit 7"], {"PATH": os.environ["PATH"]})
    assert os.getpgid(command.pid) == os.getpgid(0)
    command.let_go()
    assert command.wait() == 7


def test_a_foreground_command_does_not_begin_before_it_is_let_go(tmp_path: Path) -> None:
    command = HeldCommand(["touch", str(tmp_path / "begun")], {"PATH": os.environ["PATH"]})
    os.kill(command.pid, signal.SIGTERM)
    command.let_go()
    assert command.wait() == -signal.SIGTERM
    assert not (tmp_path / "begun").exists()


def test_a_foreground_command_never_begins_when_its_owner_dies_first(tmp_path: Path) -> None:
    code = (
        "import os, sys; from envspec.agent.foreground import HeldCommand;"
        "print(HeldCommand(['touch', sys.argv[1]], dict(os.environ)).pid, flush=True); os.kill(os.getpid(), 9)"
    )
    owner = subprocess.run([sys.executable, "-c", code, tmp_path / "begun"], stdout=subprocess.PIPE, check=False)
    wait_gone([int(owner.stdout)])
    assert not (tmp_path / "begun").exists()


def test_a_foreground_command_that_does_not_exist_is_the_callers_error() -> None:
    command = HeldCommand(["no-such-command"], {"PATH": "/bin"})
    with pytest.raises(FileNotFoundError, match="no-such-command"):
        command.let_go()


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
        assert guardian.wait(30) == 0
    wait_gone([guardian.pid])


def test_a_guardian_that_is_not_its_owners_child_starts_nothing() -> None:
    with subprocess.Popen(guardian_argv(owner=1), stdin=subprocess.DEVNULL, start_new_session=True) as guardian:
        assert guardian.wait(30) == 0


def test_what_must_run_before_hello_imports_nothing_that_takes_long() -> None:
    slow = {"dataclasses", "envspec.health", "envspec.plan"}
    program = f"import sys, envspec.agent.guardian; print({slow} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert result.stdout == "set()\n"
