"""Waiting for a line in a replica's log, in the agent itself: no prober is needed to read a file."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from envspec.agent.loop import Loop, Timer
from envspec.agent.pattern_limit import REMEDY, SlowPatternError, bounded

if TYPE_CHECKING:
    from envspec.health.base import Answer
    from envspec.health.log import LogScanner

PERIOD = 0.005
"""Seconds between two looks. A look at a log in which nothing was written costs some microseconds."""

OnAnswer = Callable[["Answer"], None]


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
        from envspec.health.log import MATCH_LIMIT, found

        scanner = self._scanner
        try:
            answer = found(bounded(self._match, MATCH_LIMIT, scanner.scan, lambda: scanner.looks), self._match)
        except SlowPatternError as error:
            self._on_answer(Answer(passed=False, text=str(error), remedy=REMEDY))
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
        text = f"{match!r} is not a regular expression: {error}"
        answer = Answer(passed=False, text=text, remedy="correct the pattern of the validator")
        return loop.after(0.0, lambda: on_answer(answer))
    return LogWait(loop, scanner, match, on_answer)
