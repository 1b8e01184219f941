"""Waiting for a line in a replica's log, in the agent itself: no prober is needed to read a file."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from envspec.agent.loop import Loop, Timer

if TYPE_CHECKING:
    from envspec.health.base import Answer
    from envspec.health.log import LogScanner

PERIOD = 0.005
"""Seconds between two looks. A look at a log in which nothing was written costs some microseconds."""

LIMIT = 0.05
"""Seconds of our processor that a pattern may take on one line, at least; at most it is twice that. A line of a log
takes microseconds, but a repeat within a repeat has endless ways to fail, and the agent has one thread."""

OnAnswer = Callable[["Answer"], None]


class SlowPatternError(Exception):
    """A pattern took longer than LIMIT on one line."""


def scan_bounded(scanner: LogScanner) -> str | None:
    """Scan, and interrupt that when it does not get on. Python's matcher looks for signals while it works.

    By the processor's time and not the clock's: on a busy machine, an agent that has to wait is not slow.

    Raises:
        SlowPatternError: it was interrupted; the scanner is of no use any more.
    """
    armed, looks = True, -1

    def tick(_number: int, _frame: FrameType | None) -> None:
        nonlocal looks
        if armed and scanner.looks == looks:
            raise SlowPatternError
        looks = scanner.looks

    signal.signal(signal.SIGVTALRM, tick)
    signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT, LIMIT)
    try:
        return scanner.scan()
    finally:
        armed = False  # a tick that is on its way already comes to nothing
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


class LogWait:
    """Looks until a line matches. Answers the first look, and the one that finds it or proves it too slow."""

    def __init__(self, loop: Loop, scanner: LogScanner, match: str, on_answer: OnAnswer) -> None:
        self._loop = loop
        self._scanner = scanner
        self._match = match
        self._on_answer = on_answer
        self._answered = False
        self._timer = loop.after(0.0, self._look)

    def cancel(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        from envspec.health.base import Answer
        from envspec.health.log import found

        try:
            answer = found(scan_bounded(self._scanner), self._match)
        except SlowPatternError:
            text = f"the pattern {self._match!r} took longer than {LIMIT * 1000:.0f} ms on one line, and is given up"
            hint = "it has too many ways to fail: leave out a repeat within a repeat, as in (x+)+, and .* at its ends"
            self._on_answer(Answer(passed=False, text=f"{text}; {hint}"))
            return
        if not answer.passed:
            self._timer = self._loop.after(PERIOD, self._look)
        if answer.passed or not self._answered:
            self._answered = True
            self._on_answer(answer)


def wait_for_line(loop: Loop, path: str, start: int, match: str, on_answer: OnAnswer) -> Timer | LogWait:
    """Look for a line that matches from offset `start` on; what is returned can be cancelled."""
    # With it come all validators, 8 ms, which most environments spare the agent.
    from envspec.health.base import Answer
    from envspec.health.log import LogScanner

    try:
        scanner = LogScanner(path, start, match)
    except re.error as error:
        answer = Answer(passed=False, text=f"{match!r} is not a regular expression: {error}")
        return loop.after(0.0, lambda: on_answer(answer))
    return LogWait(loop, scanner, match, on_answer)
