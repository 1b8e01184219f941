"""What `envspec models pull` shows meanwhile: bars on a terminal, elsewhere a line for each change."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TextIO

from envspec.cli import terminal
from envspec.models.source import Notice, Progress, Retrying, Waiting
from envspec.plan.events import ModelProgress
from envspec.report.downloads import SEPARATOR, Download
from envspec.report.text import line, one_line
from envspec.units import format_seconds, format_size

EVERY = 10.0
"""Seconds between two lines of how far a model is, where nothing can be redrawn."""

BAR = 20
"""Columns of a bar, which leave room for names and figures on a terminal of 80."""
ECHO = 2
"""Columns that a terminal takes to echo `^C`: behind a line that is full it breaks, and the bar before stays there."""


class Board(Protocol):
    """Shows how models come. `tell` may be called from any thread."""

    def tell(self, name: str, notice: Notice) -> None:
        """Show what happens to a model."""

    def done(self, name: str, answer: Mapping[str, Any]) -> None:
        """Show that a model is here; `answer` is what the fetcher says of it."""

    def failed(self, name: str, why: str = "") -> None:
        """Take away what is shown of a model, and say why; of nothing, the whole error follows at once."""

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
    again = f"; again in {format_seconds(notice.seconds)}" if notice.seconds else ""
    return f"{one_line(notice.reason)}{again}"


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

    def failed(self, name: str, why: str = "") -> None:
        """Write why."""
        if why:
            self._write(name, why)

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
        from rich.constrain import Constrain
        from rich.table import Column
        from rich.text import Text

        console = Console(file=stream, highlight=False)

        class Narrowed(progress.Progress):
            """Bars with room behind each line."""

            def get_renderables(self) -> Iterable[Constrain]:
                yield Constrain(self.make_tasks_table(self.tasks), max(1, console.width - ECHO))

        class Pace(progress.ProgressColumn):
            """What a download says of its speed."""

            def render(_self, task: progress.Task) -> Text:  # noqa: N805  `self` is the board
                return Text(SEPARATOR.join(self._downloads[task.id].pace(time.monotonic())), "dim", no_wrap=True)

        self._width = max(map(len, names))
        self._writing = threading.Lock()
        self._closed = False
        self._bars = Narrowed(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(BAR),
            progress.DownloadColumn(table_column=Column(no_wrap=True)),
            Pace(table_column=Column(no_wrap=True)),
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._tasks = {name: self._bars.add_task(name, total=None, visible=False) for name in names}
        self._downloads = {task: Download(name, time.monotonic()) for name, task in self._tasks.items()}
        self._bars.start()

    def tell(self, name: str, notice: Notice) -> None:
        """Move the bar; words go above the bars."""
        if isinstance(notice, Progress):
            task = self._tasks[name]
            moved = ModelProgress(at=time.monotonic(), model=name, **notice._asdict())
            self._downloads[task] = self._downloads[task].moved(moved)
            self._bars.update(task, completed=notice.done, total=notice.total, visible=True)
        else:
            self._print(f"{name.ljust(self._width)}  {said(notice)}", "yellow")

    def done(self, name: str, answer: Mapping[str, Any]) -> None:
        """Put the result above the bars."""
        self.failed(name)
        self._print(result_line(name.ljust(self._width), answer))

    def failed(self, name: str, why: str = "") -> None:
        """Take the bar away, and put why above the others."""
        self._bars.update(self._tasks[name], visible=False)
        if why:
            self._print(f"{name.ljust(self._width)}  {why}", "red")

    def close(self) -> None:
        """Take the bars away and give the cursor back. What threads still tell goes nowhere."""
        with self._writing:
            self._closed = True
            self._bars.stop()

    def _print(self, text: str, style: str = "") -> None:
        with self._writing:
            if not self._closed:
                self._bars.console.print(text, style=style, markup=False, soft_wrap=True)
