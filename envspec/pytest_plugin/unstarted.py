"""Marks the reports of tests whose environment did not start with why, and with which session that was."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from envspec.plan import events as e
from envspec.pytest_plugin.keys import REFUSED
from envspec.pytest_plugin.pool import EnvironmentPool
from envspec.pytest_plugin.refusing import EnvironmentNotStarted
from envspec.pytest_plugin.wanted import Wanted

Properties = dict[str, object]


class Attempts:
    """The last start of each environment that this process owns, as JUnit's report has it of those that are up."""

    def __init__(self, pool: EnvironmentPool) -> None:
        self._of: dict[Wanted, Properties] = {}
        if pool.owns:
            pool.owner.on_event(self._heard)

    def _heard(self, wanted: Wanted, event: e.Event) -> None:
        if isinstance(event, e.SessionStarting):
            self._of[wanted] = {"envspec.environment": event.environment, "envspec.session": event.session}
        elif isinstance(event, e.SessionFailed):
            self._of.setdefault(wanted, {})["envspec.start_seconds"] = round(event.at, 3)

    def add_to(self, properties: list[tuple[str, object]], wanted: Wanted) -> None:
        """Add what is known of one: of a file that is wrong there never was a session."""
        known = self._of.get(wanted, {"envspec.environment": wanted.name})
        properties += [pair for pair in known.items() if pair not in properties]


class Unstarted:
    """Does so in the process where tests run. What only a controller of xdist's knows, that adds (`Causes`)."""

    def __init__(self, pool: EnvironmentPool) -> None:
        self._owns = pool.owns
        self._attempts = Attempts(pool)
        self._refused: tuple[pytest.Item, EnvironmentNotStarted] | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Mark the report, and that of the teardown, with which JUnit takes a test's properties."""
        if call.excinfo is not None and isinstance(call.excinfo.value, EnvironmentNotStarted):
            self._refused = (item, call.excinfo.value)
            if self._owns:
                self._attempts.add_to(item.user_properties, call.excinfo.value.wanted)
        report = yield
        if self._refused is not None and self._refused[0] is item:
            error = self._refused[1]
            setattr(report, REFUSED, [list(error.wanted), error.story])
        return report
