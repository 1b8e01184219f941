"""The command line itself: its help, its errors, and what it must not import for them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest

from envspec.backends import local
from envspec.cli import up_foreground
from envspec.cli.commands import COMMANDS
from envspec.cli.early import early_agent
from envspec.cli.main import main

HEAVY = ("asyncio", "jinja2", "psutil", "pydantic", "requests", "rich", "yaml", "envspec.session", "envspec.agent")
FIXED = {
    "up", "down", "ps", "logs", "run", "check", "show", "list", "schema", "init", "kill", "pause", "resume", "restart",
    "timeline", "models",
}  # fmt: skip


def command_of(name: str) -> click.Command:
    module, _, attribute = COMMANDS[name][0].partition(":")
    command = getattr(import_module(module), attribute)
    assert isinstance(command, click.Command)
    return command


def test_every_command_that_the_design_names_is_there() -> None:
    assert set(COMMANDS) == FIXED


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_what_the_command_says_of_itself(name: str) -> None:
    command = command_of(name)

    assert command.name == name
    assert command.get_short_help_str(limit=200) == COMMANDS[name][1]


@pytest.mark.parametrize("argv", [["--help"], ["-h"], ["--version"], ["no-such-command"]])
def test_what_needs_no_command_imports_none(argv: list[str]) -> None:
    program = (
        "import sys; from envspec.cli.main import main; main(sys.argv[1:]);"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", program, *argv], capture_output=True, text=True, check=True)

    assert result.stderr.splitlines()[-1] == "[]"


@pytest.fixture
def begun() -> Iterator[local.LocalStart]:
    """What stands for an agent, with nobody behind it."""
    with socket.socket() as stream:
        yield local.LocalStart(stream, 0, lambda: None)


@pytest.mark.parametrize(
    "arguments", [[], ["local", "--set", "a=1", "--set=b=2", "--keep-on-failure", "--format=json"]]
)
def test_an_agent_starts_first_where_the_command_line_certainly_needs_one(
    arguments: list[str], begun: local.LocalStart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "begin", lambda: begun)

    assert early_agent(["up", *arguments]) is begun


@pytest.mark.parametrize("argv", [["up", "--help"], ["up", "-d"], ["up", "--backend=elsewhere"], ["ps"], []])
def test_no_agent_starts_first_where_none_may_be_needed(argv: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "begin", lambda: pytest.fail("an agent was started"))

    assert early_agent(argv) is None


def test_an_agent_that_cannot_be_started_first_is_left_to_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> None:
        raise BlockingIOError

    monkeypatch.setattr(local, "begin", refused)
    assert early_agent(["up"]) is None


def test_the_first_agent_starts_before_anything_that_takes_long_to_import() -> None:
    program = (
        "import sys; from envspec.cli.early import early_agent; early_agent(['up']).close();"
        "print({'click', 'dataclasses', 'asyncio', 'envspec.errors'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert result.stdout == "set()\n"


def test_what_needs_tls_finds_it_behind_the_first_agent() -> None:
    program = (
        "import sys; from envspec.cli.early import import_without_openssl; import_without_openssl();"
        "print({'asyncio', 'ssl', '_hashlib'} & set(sys.modules));"
        "import hashlib, ssl; print(hashlib.sha256(b'x').hexdigest()[:8], ssl.create_default_context().check_hostname)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert result.stdout == "{'asyncio'}\n2d711642 True\n"


def test_up_uses_the_agent_that_was_started_first(
    tmp_path: Path, begun: local.LocalStart, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.yaml").write_text("version: 1\n")
    used: list[object] = []
    monkeypatch.setattr(up_foreground, "up_foreground", lambda _request, agent, _form: used.append(agent))

    assert main(["up", str(tmp_path / "empty.yaml")], agent=begun) == 0
    assert used == [begun]


def test_help_lists_every_command_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())

    assert all(f"{name} {help_line}" in text for name, (_, help_line) in COMMANDS.items())


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["chekc"], "there is no command 'chekc'; did you mean 'check'?"),
        (["up", "--no-such-option"], "No such option"),
        (["ps", "--format", "xml"], "'xml' is not one of"),
        (["kill"], "Missing argument 'SERVICE[.N]'"),
        (["check", "no/such/file.yaml"], "no/such/file.yaml: there is no such file or directory"),
    ],
)
def test_a_wrong_command_line_exits_with_2(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    captured = capsys.readouterr()

    assert message in captured.err
    assert captured.out == ""


def test_python_m_envspec_is_envspec(envspec: Any) -> None:
    module = subprocess.run([sys.executable, "-m", "envspec", "--version"], capture_output=True, text=True, check=True)

    assert module.stdout == envspec("--version").stdout


def test_a_reader_that_stops_reading_is_no_error(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    result = subprocess.run(
        [sys.executable, "-m", "envspec", "--help"],
        stdout=write, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    os.close(write)

    assert (result.returncode, result.stderr) == (1, "")


def test_ctrl_c_in_the_middle_of_an_import_is_silent(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "envspec", "list"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)}, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)

    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 130
