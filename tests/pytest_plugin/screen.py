"""A terminal for tests: runs a command in a pseudo-terminal, and knows what somebody who looks at it sees."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

PATIENCE = 60.0
SEQUENCE = re.compile(r"\x1b\[(\d*)(?:;\d+)*([A-Za-z])")


class Screen:
    """What is on a terminal that never scrolls: `lines` are all that were ever begun. `raw` is all that came."""

    def __init__(self, argv: Sequence[str], folder: Path, environ: Mapping[str, str], columns: int = 80) -> None:
        self._descriptor, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self._process = subprocess.Popen(
            argv,
            cwd=folder,
            env={**environ, "TERM": "xterm"},
            stdin=inside,
            stdout=inside,
            stderr=inside,
        )
        os.close(inside)
        self._columns = columns
        self.raw = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """End what a failed test has left running, as Ctrl-C would."""
        if self._process.poll() is None:
            self.interrupt()
            self.finish()

    def until(self, condition: Callable[[list[str]], bool]) -> list[str]:
        """Read until what is seen fulfils the condition."""
        deadline = time.monotonic() + PATIENCE
        while not condition(self.lines):
            assert time.monotonic() < deadline, "\n".join(self.lines)
            assert self._read(), f"it is over:\n{self.raw}"
        return self.lines

    def interrupt(self) -> None:
        """Do to the command what Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def finish(self) -> int:
        """Read to the end, and return the exit code."""
        while self._read():
            pass
        os.close(self._descriptor)
        return self._process.wait(PATIENCE)

    def _read(self) -> bool:
        if not select.select([self._descriptor], [], [], PATIENCE)[0]:
            return True
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # the other end is closed
            return False
        self.raw += data.decode(errors="replace")
        return bool(data)

    @property
    def lines(self) -> list[str]:
        """What is on the screen, line by line."""
        rows, row, column, place = [""], 0, 0, 0
        while place < len(self.raw):
            if found := SEQUENCE.match(self.raw, place):
                row, column = self._move(rows, row, column, found)
                place = found.end()
                continue
            letter = self.raw[place]
            place += 1
            if letter == "\r":
                column = 0
            elif letter == "\n" or column == self._columns:
                row, column = row + 1, column if letter == "\n" else 0
                rows += [""] * (row + 1 - len(rows))
            if letter not in "\r\n":
                rows[row] = f"{rows[row]:<{column}}"[:column] + letter + rows[row][column + 1 :]
                column += 1
        return [text.rstrip() for text in rows]

    def _move(self, rows: list[str], row: int, column: int, found: re.Match[str]) -> tuple[int, int]:
        match found[2]:
            case "A":
                row = max(0, row - int(found[1] or 1))
            case "G":
                column = int(found[1] or 1) - 1
            case "K":
                rows[row] = "" if found[1] == "2" else rows[row][:column]
        return row, column
