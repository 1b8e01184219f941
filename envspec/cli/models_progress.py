"""What `envspec models pull` shows meanwhile: bars on a terminal, elsewhere a line for each change."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TextIO

from envspec.cli import terminal
from envspec.models.source import Notice, Progress, Retrying, Waiting
from envspec.report.text import line, one_line
from envspec.units import format_seconds, format_size

EVERY = 10.0
"""Seconds between two lines of how far a model is, where nothing can be redrawn."""


class Board(Protocol):
    """Shows how models come. `tell` may be called from any thread."""

    def tell(self, name: str, notice: Notice) -> None:
        """Show what happens to a model."""

    def done(self, name: str, answer: Mapping[str, Any]) -> None:
        """Show that a model is here; `answer` is what the fetcher says of it."""

    def failed(self, name: str) -> None:
        """Take away what is shown of a model: its error is told afterwards."""

    def close(self) -> None:
        """Leave the terminal as other programs expect it. May be called more than once."""


def board_on(stream: TextIO, names: Sequence[str]) -> Board:
    """Return the board that fits `stream`."""
    redraws = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    return Bars(stream, names) if redraws else Lines(stream, names)


def said(notice: Waiting | Retrying) -> str:
    """Return a notice in words."""
    if isinstance(notice, Waiting):
        return f"waits for {one_line(notice.holder)}"
    again = f"again in {format_seconds(notice.seconds)}" if notice.seconds else "again"
    return f"{one_line(notice.reason)}; {again}"


def result_line(name: str, answer: Mapping[str, Any]) -> str:
    """Return what came of a model, for stdout."""
    return f"{name}  {_came(answer)}  {answer['path']}"


def _came(answer: Mapping[str, Any]) -> str:
    if answer["cached"]:
        took = f", complete after {format_seconds(answer['seconds'])}" if answer["seconds"] else ""
        return f"cached{took}"
    part = f" of {format_size(answer['total'])}" if answer["bytes"] < answer["total"] else ""
    speed = format_size(answer["bytes"] / max(answer["seconds"], 0.001))
    return f"{format_size(answer['bytes'])}{part} in {format_seconds(answer['seconds'])} ({speed}/s)"


class Lines:
    """A line for each change."""

    def __init__(self, stream: TextIO, names: Sequence[str]) -> None:
        self._stream = stream
        self._width = max(map(len, names))
        self._told: dict[str, float] = {}
        self._writing = threading.Lock()

    def tell(self, name: str, notice: Notice) -> None:
        """Write a line, of progress only now and then."""
        if not isinstance(notice, Progress):
            self._write(name, said(notice))
            return
        with self._writing:
            now, before = time.monotonic(), self._told.setdefault(name, time.monotonic())
            if now - before < EVERY:
                return
            self._told[name] = now
        total = f" of {format_size(notice.total)}" if notice.total else ""
        self._write(name, f"{format_size(notice.done)}{total}")

    def done(self, name: str, answer: Mapping[str, Any]) -> None:
        """Write the result."""
        terminal.show([line(result_line(name.ljust(self._width), answer))], sys.stdout)

    def failed(self, name: str) -> None:
        """Say nothing: the error follows."""

    def close(self) -> None:
        """There is nothing to restore."""

    def _write(self, name: str, text: str) -> None:
        with self._writing:
            terminal.show([line(f"{name.ljust(self._width)}  {text}")], self._stream)


class Bars:
    """A bar for each model that is under way, with bytes, speed and what is left."""

    def __init__(self, stream: TextIO, names: Sequence[str]) -> None:
        from rich import progress
        from rich.console import Console

        self._width = max(map(len, names))
        self._bars = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(),
            console=Console(file=stream, highlight=False),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._tasks = {name: self._bars.add_task(name, total=None, visible=False) for name in names}
        self._bars.start()

    def tell(self, name: str, notice: Notice) -> None:
        """Move the bar; words go above the bars."""
        if isinstance(notice, Progress):
            self._bars.update(self._tasks[name], completed=notice.done, total=notice.total, visible=True)
        else:
            self._print(f"{name.ljust(self._width)}  {said(notice)}", "yellow")

    def done(self, name: str, answer: Mapping[str, Any]) -> None:
        """Put the result above the bars."""
        self.failed(name)
        self._print(result_line(name.ljust(self._width), answer))

    def failed(self, name: str) -> None:
        """Take the bar away."""
        self._bars.update(self._tasks[name], visible=False)

    def close(self) -> None:
        """Take the bars away and give the cursor back."""
        self._bars.stop()

    def _print(self, text: str, style: str = "") -> None:
        self._bars.console.print(text, style=style, markup=False, soft_wrap=True)
