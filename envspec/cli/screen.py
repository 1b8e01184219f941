"""What `up` and `run` show while an environment starts, runs and stops.

On a terminal a live table while something is under way, and a line for each change in between; elsewhere a line for
each change throughout.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from envspec.cli import terminal
from envspec.cli.suspension import when_suspended
from envspec.plan import events as e
from envspec.report.downloads import Downloads, downloads_after
from envspec.report.event_lines import download_line, event_line
from envspec.report.live_table import live_table
from envspec.report.progress import Progress
from envspec.report.states import FRAMES_PER_SECOND
from envspec.report.text import Line, Span, plain
from envspec.session.status import SessionStatus

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

UNDER_WAY = ("starting", "stopping")
EARLY = (e.SessionStarting, e.PortsLeased, e.ModelReady, e.ReplicaWaiting, e.ReplicaStarting)
"""What comes before anything takes time: there is nothing to watch yet."""
TOLD_OTHERWISE = (e.SessionHealthy, e.SessionFailed, e.SessionStopped)
"""What has a picture of its own: where things are, an error, the last line."""
PROGRESS_EVERY = 10.0
"""Seconds between two lines that say how far a model is: a log is read later, and by people."""


class Screen(Protocol):
    """Shows a session's events as they come."""

    def event(self, event: e.Event, status: SessionStatus) -> None:
        """Show one event; `status` is what the session looks like after it."""

    def close(self) -> None:
        """Leave the terminal as other programs expect it. May be called more than once."""


def screen_on(stream: TextIO) -> Screen:
    """Return the screen that fits `stream`: a live table for a terminal that can redraw, else lines."""
    redraws = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    return LiveScreen(stream) if redraws else LineScreen(stream)


class LineScreen:
    """A line for each change, with its seconds."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._name_width = 8
        self._downloads: Downloads = {}
        self._told: dict[str, float] = {}
        self._last: dict[str, Span] = {}

    def event(self, event: e.Event, status: SessionStatus) -> None:
        """Write the event's line, if it has one."""
        self._downloads = downloads_after(self._downloads, event)
        if isinstance(event, e.PortsLeased):
            self._name_width = max([self._name_width, *map(len, event.ports)])
        words = self._progress(event) if isinstance(event, e.ModelProgress) else event_line(event, self._name_width)
        never_began = isinstance(event, e.SessionFailed) and not status.id
        if words is not None and not never_began and not self._repeated(event, words[-1]):
            terminal.show([words], self._stream)

    def _repeated(self, event: e.Event, words: Span) -> bool:
        """Say whether an answer is, to the word, what was said of its replica last: by another check of the kind."""
        replica = getattr(event, "replica", "")
        before, self._last[replica] = self._last.get(replica), words
        return isinstance(event, e.CheckAnswered) and words == before

    def _progress(self, event: e.ModelProgress) -> Line | None:
        """Return how far a model is, unless that was told a moment ago."""
        download = self._downloads[event.model]
        if event.at < self._told.get(event.model, download.began) + PROGRESS_EVERY:
            return None
        self._told[event.model] = event.at
        return download_line(download, event.at, self._name_width)

    def close(self) -> None:
        """There is nothing to restore."""


class LiveScreen:
    """A table that is redrawn while something is under way."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines = LineScreen(stream)
        self._progress: Progress | None = None
        self._began = 0.0
        self._restored: Callable[[], None] = lambda: None
        self._live: Live | None = None
        self._wanted = False
        # Reentrant, because a signal may come while this thread holds it.
        self._changing = threading.RLock()

    def event(self, event: e.Event, status: SessionStatus) -> None:
        """Take the event into the table; write it as a line where no table stands."""
        if self._progress is None:
            self._progress = Progress(status)
            self._began = time.monotonic() - event.at
        self._progress = self._progress.after(event, status)
        if status.state not in UNDER_WAY:
            self.close()
            if not isinstance(event, TOLD_OTHERWISE):
                self._lines.event(event, status)
        elif not self._wanted and not isinstance(event, EARLY):
            self._wanted = True
            self._restored = when_suspended(self._away)
            self._open_beside()

    def _open_beside(self) -> None:
        # In a thread: rich takes 100 ms to import, in which the session has services to start.
        threading.Thread(target=self._open, daemon=True).start()

    def _open(self) -> None:
        from rich.console import Console
        from rich.live import Live

        live = Live(
            get_renderable=self._draw,
            console=Console(file=self._stream, highlight=False, soft_wrap=False),
            refresh_per_second=FRAMES_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        with self._changing:
            if self._wanted and self._live is None:
                self._live = live
                live.start(refresh=True)

    def _draw(self) -> Text:
        from rich.text import Text

        if self._progress is None:
            return Text()
        lines = live_table(self._progress, time.monotonic() - self._began, terminal.size(self._stream))
        if not terminal.coloured(self._stream):
            return Text(plain(lines).rstrip("\n"), no_wrap=True, overflow="crop")
        return Text("\n", no_wrap=True, overflow="crop").join(Text.assemble(*item) for item in lines)

    def close(self) -> None:
        """Take the table away and give the cursor back."""
        with self._changing:
            self._wanted = False
            self._take_away()
        self._restored()

    @contextmanager
    def _away(self) -> Iterator[None]:
        with self._changing:
            self._take_away()
            yield
        self._open_beside()

    def _take_away(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()
