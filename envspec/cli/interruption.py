"""Signals as people mean them: the first asks for a stop, a second Ctrl-C leaves at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

from envspec.cli import streams, terminal
from envspec.report.text import line

REASONS = {
    signal.SIGINT: "Ctrl-C",
    signal.SIGTERM: "SIGTERM",
    signal.SIGHUP: "the terminal was closed",
}
INTERRUPTED = 130
TOGETHER = 0.1
"""Seconds in which a second SIGINT is the first once more: `timeout -s INT`, for one, signals us and then our group."""
LEFT_BEHIND = line("left at once; what still runs is stopped behind this, by force after a second")


def as_interrupts() -> None:
    """Let the first of SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt with the reason; then one SIGINT more.

    For who waits in no event loop. A SIGHUP that was ignored (nohup) stays so.
    """

    def first(number: int, _frame: object) -> None:
        came = time.monotonic()

        def second(_number: int, _frame: object) -> None:
            if time.monotonic() - came > TOGETHER:
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # it leaves at once, which a third cannot hurry
                raise KeyboardInterrupt

        for later in REASONS:
            signal.signal(later, second if later == signal.SIGINT else signal.SIG_IGN)
        if number == signal.SIGHUP:
            _give_up_closed_terminal()
        raise KeyboardInterrupt(REASONS[signal.Signals(number)])

    for number in REASONS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, first)


def no_interrupts() -> None:
    """Let none of these signals do anything any more, to the very end of the interpreter, which resets all but this."""
    for number in REASONS:
        signal.signal(number, signal.SIG_IGN)


def _give_up_closed_terminal() -> None:
    streams.give_up(*filter(streams.is_closed_terminal, (1, 2)))  # the rest of the stop has nobody to tell


class Interruption:
    """While it is entered, SIGINT, SIGTERM and SIGHUP call `stop` with the reason, once.

    A second SIGINT calls `leave` and ends this process without waiting for anything: the stream to the agent closes
    with it, upon which the agent stops what is left.
    """

    def __init__(self, stop: Callable[[str], Coroutine[Any, Any, None]], leave: Callable[[], None]) -> None:
        self._stop = stop
        self._leave = leave
        self._stopping: asyncio.Task[None] | None = None
        self._came = 0.0

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in REASONS:
            loop.add_signal_handler(number, self._signalled, number)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        loop = asyncio.get_running_loop()
        for number in REASONS:
            loop.remove_signal_handler(number)

    @property
    def came(self) -> bool:
        """Whether a signal came."""
        return self._stopping is not None

    def _signalled(self, number: signal.Signals) -> None:
        if number == signal.SIGHUP:
            _give_up_closed_terminal()
        if self._stopping is None:
            self._came = time.monotonic()
            self._stopping = asyncio.ensure_future(self._stop(REASONS[number]))
        elif number == signal.SIGINT and time.monotonic() - self._came > TOGETHER:
            self._leave()
            terminal.show([LEFT_BEHIND], sys.stderr)
            os._exit(INTERRUPTED)
