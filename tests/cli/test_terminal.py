"""`envspec up` on a real terminal: a table that redraws, colours where they are wanted, a clean screen behind it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

SLOW = """\
version: 1
services:
  slow:
    shell: "sleep 0.5; echo here; sleep 600"
    health: [{log: {match: here}}]
  after: {command: [sleep, "600"], depends_on: [slow]}
"""
COLOUR = re.compile(r"\x1b\[[0-9;]*[1-9][0-9;]*m")
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


class Terminal:
    """A terminal of 80 columns with `envspec` in it."""

    def __init__(self, envspec: Any, *argv: str, **changes: str) -> None:
        self._screen, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            [envspec.program, *argv],
            cwd=envspec.project, env={**envspec.environ, "TERM": "xterm-256color", **changes},
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self._pieces: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._screen, 65536)
            except OSError:  # EIO: nobody has the terminal open any more
                break
            self._pieces.append(piece.decode(errors="replace"))
        os.close(self._screen)

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    @property
    def words(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.text)

    def type(self, text: str) -> None:
        os.write(self._screen, text.encode())

    def end(self) -> int:
        code = self.process.wait(30)
        self._reader.join()
        return code


def test_the_table_redraws_until_it_is_up_and_the_picture_stays(envspec: Any, eventually: Callable[..., Any]) -> None:
    envspec.write(SLOW)
    terminal = Terminal(envspec, "up")
    eventually(lambda: "stop  Ctrl-C" in terminal.words, "up")
    started = terminal.text
    terminal.process.send_signal(signal.SIGINT)

    assert terminal.end() == 0
    assert "waits for slow healthy" in terminal.words
    assert started.count("slow") > 4
    assert COLOUR.search(started)
    assert started.rindex(SHOW_CURSOR) > started.rindex(HIDE_CURSOR)
    assert "○ local is stopped" in terminal.words
    assert terminal.text.rindex(SHOW_CURSOR) > terminal.text.rindex(HIDE_CURSOR)


def test_no_color_is_respected(envspec: Any, eventually: Callable[..., Any]) -> None:
    envspec.write(SLOW)
    terminal = Terminal(envspec, "up", NO_COLOR="1")
    eventually(lambda: "stop  Ctrl-C" in terminal.words, "up")
    terminal.process.send_signal(signal.SIGINT)

    assert terminal.end() == 0
    assert COLOUR.search(terminal.text) is None
    assert HIDE_CURSOR in terminal.text


def test_a_dumb_terminal_gets_lines(envspec: Any, eventually: Callable[..., Any]) -> None:
    envspec.write(SLOW)
    terminal = Terminal(envspec, "up", TERM="dumb")
    eventually(lambda: "stop  Ctrl-C" in terminal.words, "up")
    terminal.process.send_signal(signal.SIGINT)

    assert terminal.end() == 0
    assert "\x1b" not in terminal.text
    assert "healthy after" in terminal.text


@pytest.mark.parametrize("argv", [["ps"], ["logs"], ["timeline"], ["list"]])
def test_other_commands_are_coloured_and_never_wider_than_the_terminal(pair: Any, argv: list[str]) -> None:
    terminal = Terminal(pair, *argv)

    assert terminal.end() == 0
    assert COLOUR.search(terminal.text)
    if argv != ["logs"]:
        assert max(map(len, terminal.words.splitlines())) <= 80


JOB = """\
#!{python}
import subprocess, sys
job = subprocess.Popen(["{program}", *sys.argv[1:]], process_group=0)
print("job", job.pid, flush=True)
sys.exit(job.wait())
"""
"""What starts a command as a shell does, as a job of its own. The system stops no other, which nobody could wake."""


@pytest.mark.parametrize("argv", [["up"], ["up", "-d"]], ids=" ".join)
def test_ctrl_z_gives_the_cursor_back_until_it_goes_on(
    envspec: Any, eventually: Callable[..., Any], argv: list[str]
) -> None:
    envspec.write(SLOW.replace("sleep 0.5", "until [ -e $GO ]; do sleep 0.02; done"))
    shell = envspec.project / "shell"
    shell.write_text(JOB.format(python=sys.executable, program=envspec.program))
    shell.chmod(0o755)
    go = envspec.project / "go"
    terminal = Terminal(replace(envspec, program=str(shell)), *argv, GO=str(go))
    eventually(lambda: HIDE_CURSOR in terminal.text, "a table")
    job = int(re.findall(r"job (\d+)", terminal.words)[0])

    os.kill(job, signal.SIGTSTP)
    eventually(lambda: Path(f"/proc/{job}/stat").read_text().rpartition(")")[2].split()[0] == "T", "it is stopped")
    eventually(lambda: terminal.text.count(SHOW_CURSOR) == terminal.text.count(HIDE_CURSOR), "the cursor is back")

    os.kill(job, signal.SIGCONT)
    eventually(lambda: terminal.text.count(HIDE_CURSOR) > terminal.text.count(SHOW_CURSOR), "the table again")
    go.touch()
    eventually(lambda: "stop  " in terminal.words, "up")
    if argv == ["up"]:
        os.kill(job, signal.SIGINT)
    assert terminal.end() == 0
    assert terminal.text.count(SHOW_CURSOR) >= terminal.text.count(HIDE_CURSOR)


def test_a_failed_start_shows_the_error_with_the_cursor_given_back(envspec: Any) -> None:
    envspec.write(SLOW.replace("sleep 0.5; echo here; sleep 600", "sleep 0.5; exit 3"))
    terminal = Terminal(envspec, "up")

    assert terminal.end() == 4
    assert "error: slow exited with code 3" in terminal.words
    assert terminal.text.rindex(SHOW_CURSOR) > terminal.text.rindex(HIDE_CURSOR)


@pytest.mark.parametrize("command", ["check", "up"])
def test_a_source_line_and_its_caret_fit_the_terminal(envspec: Any, command: str) -> None:
    envspec.write(f"version: 1\ndescription: {'x' * 60}\nservices: {{}} # {'x' * 60}\nwrng: {'x' * 100}\n")
    terminal = Terminal(envspec, command)
    terminal.end()
    shown = [line for line in terminal.text.splitlines() if " | " in line]

    assert shown
    assert max(map(len, shown)) <= 80
