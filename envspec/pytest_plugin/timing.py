"""For --env-timeline: the report of each test says what the test wanted, for whoever adds up the time."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from envspec.pytest_plugin.keys import WANTED
from envspec.pytest_plugin.pool import EnvironmentPool


class Timing:
    """Writes it into the reports, in the process where tests run."""

    def __init__(self, pool: EnvironmentPool) -> None:
        self._pool = pool

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add what the test wanted."""
        report = yield
        if self._pool.config.getoption("--env-timeline"):
            setattr(report, WANTED, [list(wanted) for wanted in self._pool.wanted_by(item)])
        return report
