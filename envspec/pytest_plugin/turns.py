"""Which environments may be up: those of the next unfinished tests, as many as fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from envspec.pytest_plugin.order import is_grouped
from envspec.pytest_plugin.wanted import Groups, Wanted

Fits = Callable[[Sequence[Wanted]], bool]
"""Tells whether these environments can be up together."""


class Turns:
    """Knows the tests that are not finished, in groups, and looks ahead as far as `most` environments.

    What the first unfinished test wants always has its turn, or nothing could ever go on. Unless `bounded`, a test
    does not wait for its turn: the bound is then on what is started ahead alone.
    """

    def __init__(self, most: int, fits: Fits = lambda _: True, *, bounded: bool = True) -> None:
        self.most = most
        self._fits = fits
        self._bounded = bounded
        self._told = False
        self._tests: dict[str, tuple[Wanted, ...]] = {}
        self._left: dict[tuple[Wanted, ...], int] = {}

    def expect(self, groups: Groups) -> None:
        """Hear which tests will run. Where they are not grouped, a test never waits for its turn."""
        self._told = True
        self._bounded = self._bounded and is_grouped(groups)
        for test, wanted in groups.items():
            if wanted and test not in self._tests:
                self._tests[test] = wanted
                self._left[wanted] = self._left.get(wanted, 0) + 1

    def finished(self, test: str) -> bool:
        """Hear that a test is over; tell whether it was the last one of its group."""
        wanted = self._tests.pop(test, ())
        if not wanted:
            return False
        self._left[wanted] -= 1
        if self._left[wanted]:
            return False
        del self._left[wanted]
        return True

    def is_over_for(self, wanted: Wanted) -> bool:
        """Tell whether the tests are known, and none that is left wants this."""
        return self._told and not any(wanted in group for group in self._left)

    def is_there_for(self, wanted: Wanted, leaving: Sequence[Wanted]) -> bool:
        """Tell whether this may be started now; what no test was expected to want may be at any time."""
        expected = any(wanted in group for group in self._left)
        return not self._bounded or not expected or wanted in self.next(leaving)

    def next(self, leaving: Sequence[Wanted]) -> list[Wanted]:
        """Return what may be up, in the order of the tests. What is `leaving` still takes its memory."""
        allowed: dict[Wanted, None] = {}
        for group in self._left:
            together = list(dict.fromkeys((*allowed, *group)))
            if allowed and len(together) > self.most:
                break
            if (allowed or leaving) and together != list(allowed) and not self._fits([*leaving, *together]):
                break
            allowed.update(dict.fromkeys(group))
        return list(allowed)
