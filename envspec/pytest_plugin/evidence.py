"""What a failed test's report shows of its environments: what services wrote meanwhile, and what happened to them."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envspec.errors import EnvspecError
from envspec.pytest_plugin.markers import wanted_of
from envspec.pytest_plugin.pool import EnvironmentPool
from envspec.pytest_plugin.wanted import Wanted
from envspec.record import Record
from envspec.session.live import Environment, Handle
from envspec.session.state import EVENTS, LOGS
from envspec.units import format_seconds

if TYPE_CHECKING:
    from envspec.plan.events import FaultOrdered

Sections = list[tuple[str, str]]


class Files(Record):
    """What an environment writes: a log for each replica, and its events. `seconds` is what the run waited for it."""

    session: str
    environment: str
    directory: Path
    logs: dict[str, str]
    events: str
    secrets: tuple[str, ...]
    seconds: float | None


class Evidence:
    """Notes at the start of each test how long all logs are, and on failure shows what came since."""

    def __init__(self, pool: EnvironmentPool) -> None:
        self._pool = pool
        self._files: dict[Wanted, Files] = {}
        self._sizes: dict[str, int] = {}
        self._sound: list[Wanted] = []
        self._shown: set[Wanted] = set()
        self._began = 0.0
        self._tests: list[tuple[float, str]] = []
        pool.on_lend(self._lent)

    def _lent(self, wanted: Wanted, handle: Handle, _environment: Environment) -> None:
        status, attached = handle.status(), self._pool.lender.attached(wanted)
        directory = Path(status.dir)
        logs = {replica.name: replica.log for replica in status.services.values() if replica.log}
        files = self._files[wanted] = Files(
            session=status.id,
            environment=status.environment,
            directory=directory,
            logs=logs,
            events=str(directory / EVENTS),
            secrets=_secrets(handle),
            seconds=status.seconds if attached is None else attached,
        )
        self._measure(files)  # what it wrote before is its start, and no part of the test that happened to wait for it

    def _measure(self, files: Files) -> None:
        for path in (*files.logs.values(), files.events):
            try:
                self._sizes[path] = os.stat(path).st_size  # noqa: PTH116  a Path costs more than the call
            except OSError:
                self._sizes[path] = 0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Note where all logs are; afterwards tell JUnit's report which session it is."""
        self._began = time.time()
        self._tests.append((self._began, item.nodeid))
        self._shown.clear()
        wanted = wanted_of(item, self._pool.naming)
        for one in wanted:
            if one in self._files:
                self._measure(self._files[one])
        try:
            return (yield)
        finally:
            self._sound = [one for one in wanted if one not in self._pool.broken]  # what breaks now, its end says
            item.user_properties += [pair for pair in self._properties(wanted) if pair not in item.user_properties]

    def _properties(self, wanted: Iterable[Wanted]) -> Iterable[tuple[str, object]]:
        for one in wanted:
            if one in self._pool.held and (files := self._files.get(one)) is not None:
                yield "envspec.environment", files.environment
                yield "envspec.session", files.session
                if files.seconds is not None:
                    yield "envspec.start_seconds", round(files.seconds, 3)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add what is known to the report of a test that failed in its environment.

        Where its teardown fails as well, that adds what has come since.
        """
        report = yield
        if report.failed:
            for one in self._sound:
                if (files := self._files.get(one)) is not None:
                    report.sections += self._sections(files, again=one in self._shown)
                    self._shown.add(one)
                    self._measure(files)
        return report

    def _sections(self, files: Files, *, again: bool) -> Sections:
        from envspec.report.span import written  # as below: where no test fails, nobody waits for this

        changes = self._changes(files)
        if not again:
            changes = self._lasting(files) + changes
        where = f"session {files.session}, all logs: {files.directory / LOGS}"
        sections = []
        if changes or not again:
            sections = [(f"envspec: {files.environment} during the test", f"{changes}{where}")]
        for replica, path in files.logs.items():
            text = written(path, self._sizes.get(path, 0), files.secrets)
            if text:
                sections.append((f"envspec: {replica} wrote during the test", text))
        return sections

    def _changes(self, files: Files) -> str:
        """Return what happened to the environment, a line each, in seconds since the test began."""
        from envspec.report.event_lines import event_line
        from envspec.report.recorded import read_events
        from envspec.report.text import plain
        from envspec.report.told_once import told_once

        events = told_once(read_events(Path(files.events), self._sizes.get(files.events, 0)))
        told = [replace(event, at=max(0.0, event.time - self._began)) for event in events]
        return plain(line for event in told if (line := event_line(event)) is not None)

    def _lasting(self, files: Files) -> str:
        """Return what was in force when the test began, since somebody had ordered it, a line each."""
        from envspec.report.lasting import lasting
        from envspec.report.recorded import read_events

        before = read_events(Path(files.events), end=self._sizes.get(files.events, 0))
        return "".join(f"since {self._since(order)}: {what}\n" for order, what in lasting(before))

    def _since(self, order: FaultOrdered) -> str:
        """Say when something was ordered: since the begin of which test, where no other worker can have done it."""
        if order.position:
            return order.position
        if not self._pool.owns:
            return f"{format_seconds(self._began - order.time)} before the test"
        test = next((test for began, test in reversed(self._tests) if began <= order.time), "before the first test")
        file = self._tests[-1][1].partition("::")[0]
        return test.removeprefix(f"{file}::")


def _secrets(handle: Handle) -> tuple[str, ...]:
    try:
        return handle.secrets()
    except EnvspecError:
        return ()
