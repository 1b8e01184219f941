"""Lets JUnit's report, and whatever else writes down reports as they come, tell why an environment did not start.

The terminal has that at its end, once, where the eye falls; a file has only what the reports of tests say.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from envspec.pytest_plugin.keys import REFUSED

if TYPE_CHECKING:
    from envspec.pytest_plugin.pool import EnvironmentPool
    from envspec.pytest_plugin.wanted import Wanted


class Causes:
    """Adds the cause to the first report of each environment while the others hear it, where people look.

    Without a pool, as in a controller of xdist's whose workers have environments of their own, it is the workers' word.
    """

    def __init__(self, pool: EnvironmentPool | None = None) -> None:
        from envspec.pytest_plugin.unstarted import Attempts

        self._pool = pool if pool is not None and pool.owns else None
        self._attempts = Attempts(self._pool) if self._pool is not None else None
        self._told: set[str] = set()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, object, object]:
        """Add it to a report that says so, and take it out again."""
        refused: Any = getattr(report, REFUSED, None)
        if refused is None:
            return (yield)
        from envspec.pytest_plugin.wanted import Wanted

        wanted = Wanted(*refused[0])
        if self._attempts is not None:
            self._attempts.add_to(report.user_properties, wanted)
        title = f"environment {wanted.name} did not start"
        longrepr: Any = report.longrepr
        if not report.failed or title in self._told or not hasattr(longrepr, "addsection"):
            return (yield)
        self._told.add(title)
        longrepr.addsection(title, self._story(wanted) or refused[1])
        try:
            return (yield)
        finally:
            longrepr.sections.pop()

    def _story(self, wanted: Wanted) -> str:
        """Return the cause as whoever owns the environment knows it: between processes, findings of a file are lost."""
        from envspec.pytest_plugin.text import whole_story

        error = self._pool.owner.failed.get(wanted) if self._pool is not None else None
        return whole_story(error) if error is not None else ""
