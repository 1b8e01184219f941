"""What a start waits for, told while it lasts: one live line on a terminal, a plain line now and then elsewhere.

Where tests run in this process, too, it is written only while the main thread waits for an environment: nothing of
pytest's or of a test's own can come in between. The controller of xdist runs no tests, so there it is always written.
A worker that has environments of its own has no terminal either: its plain lines go to the stderr of its controller.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from envspec.pytest_plugin.live_line import LiveLine
from envspec.pytest_plugin.ran import Ran
from envspec.pytest_plugin.terminal import can_rewrite, end_line, say
from envspec.report.waiting import start_line

LOOK = 0.2
"""Seconds between two looks: a clock of seconds does not limp."""
PATIENCE = 10.0
"""Seconds between two plain lines: no CI takes the run for a hanging one."""


class StartLines:
    """Writes the lines, in a thread that lives while something starts. `worker` is which of xdist's this process is."""

    def __init__(self, config: pytest.Config, *, alone: bool, worker: str = "") -> None:
        self._config = config
        self._writer = config.get_terminal_writer()
        self._alone = alone
        self._worker = worker
        self._lock = threading.Lock()
        self._starting: dict[int, Ran] = {}
        self._told: dict[int, float] = {}
        self._watched = False
        self._over = threading.Event()
        self._may_write = not alone
        self._output = _own_stdout() if not worker else os.dup(2)  # execnet leaves a worker the controller's
        self._live: LiveLine | None = None
        if self._output is not None and not worker and can_rewrite(self._output):
            self._live = LiveLine(self._writer, self._output)

    def begin(self, ran: Ran) -> None:
        """Tell of one more start, until it is over. Called in the thread of its session, so it takes no time."""
        with self._lock:
            self._starting[id(ran)] = ran
            if not self._watched:
                self._watched = True
                threading.Thread(target=self._watch, name="envspec start lines", daemon=True).start()

    @contextmanager
    def waited_for(self) -> Iterator[None]:
        """Let lines come while the block, in the main thread, waits for an environment."""
        if self._live is None and not self._worker:
            end_line(self._config)
        with self._lock:
            self._may_write = True
        try:
            yield
        finally:
            with self._lock:
                self._may_write = False
                if self._live is not None:
                    self._live.erase()

    def close(self) -> None:
        """Write nothing ever again."""
        self._over.set()
        with self._lock:
            self._may_write = False
            self._starting.clear()
            if self._live is not None:
                self._live.close()
            if self._output is not None:
                os.close(self._output)
                self._output = None

    def _watch(self) -> None:
        while True:
            with self._lock:
                self._starting = {key: ran for key, ran in self._starting.items() if ran.starting}
                if not self._starting:
                    self._watched = False
                    if self._live is not None:
                        self._live.erase()
                    return
                if self._may_write:
                    self._tell()
            self._over.wait(LOOK)

    def _tell(self) -> None:
        lines = {key: start_line(ran.name, ran.events, ran.seconds) for key, ran in self._starting.items()}
        if self._live is not None:
            self._live.draw(f"envspec: {' · '.join(lines.values())}")
            return
        now = time.monotonic()
        for key, text in lines.items():
            if key not in self._told:
                self._write(f"starting {self._starting[key].name} …")
            elif now >= self._told[key] + PATIENCE:
                self._write(text)
            else:
                continue
            self._told[key] = now

    def _write(self, text: str) -> None:
        said = f"envspec: {self._worker}: {text}" if self._worker else f"envspec: {text}"
        if not self._alone:
            say(self._config, said)
        elif self._output is not None:
            os.write(self._output, f"{said}\n".encode())


def _own_stdout() -> int | None:
    """Return a descriptor that stays the real stdout while a test runs; None where that is no file."""
    try:
        return os.dup(sys.stdout.fileno())
    except (AttributeError, OSError):  # somebody's object, as in a run within a run
        return None
