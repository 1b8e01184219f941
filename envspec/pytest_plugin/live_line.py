"""One line below whatever pytest has written, rewritten in place, and gone without a trace when pytest goes on."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Protocol

from envspec.report.text import ansi, clip, line

ERASE = "\r\x1b[2K"
UP = "\x1b[A"
COLUMN = "\x1b[{}G"


class Writer(Protocol):
    """What is used of pytest's terminal writer."""

    hasmarkup: bool
    write: Callable[..., None]

    @property
    def width_of_current_line(self) -> int:
        """Columns that are written of the last line."""


class LiveLine:
    """The line itself, until pytest writes something: that takes it away.

    It goes to a descriptor of its own, since while a test runs, stdout may be captured.
    """

    def __init__(self, writer: Any, descriptor: int) -> None:
        self._writer: Writer = writer
        self._descriptor = descriptor
        self._lock = threading.RLock()
        self._under: int | None = None
        self._write = writer.write
        writer.write = self._write_first

    def draw(self, text: str) -> None:
        """Show a line, instead of the one before."""
        with self._lock:
            self.erase()
            terminal = os.get_terminal_size(self._descriptor).columns
            shown = ansi([clip(line((text, "dim" if self._writer.hasmarkup else "")), max(terminal - 1, 1))])
            self._under = self._writer.width_of_current_line
            self._send(("\n" if self._under else "") + ERASE + shown.rstrip("\n"))

    def erase(self) -> None:
        """Take it away, and leave the cursor where pytest had it."""
        with self._lock:
            if self._under is not None:
                terminal = os.get_terminal_size(self._descriptor).columns
                back = UP + COLUMN.format(max(0, self._under) % terminal + 1)
                self._send(ERASE + (back if self._under else ""))
                self._under = None

    def close(self) -> None:
        """Take it away for good."""
        with self._lock:
            self.erase()
            self._writer.write = self._write

    def _write_first(self, *arguments: Any, **options: Any) -> None:
        with self._lock:
            self.erase()
            self._write(*arguments, **options)

    def _send(self, text: str) -> None:
        os.write(self._descriptor, text.encode())
