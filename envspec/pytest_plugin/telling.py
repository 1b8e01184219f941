"""What people see of environments: what a start waits for, where services are, and at the end where the time went."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from envspec.plan import events as e
from envspec.pytest_plugin.keys import telling_worker
from envspec.pytest_plugin.last_words import words_of
from envspec.pytest_plugin.model_needs import is_skipped
from envspec.pytest_plugin.pool import EnvironmentPool
from envspec.pytest_plugin.ran import Sessions
from envspec.pytest_plugin.start_lines import StartLines
from envspec.pytest_plugin.terminal import is_told, say
from envspec.pytest_plugin.text import ports_table
from envspec.pytest_plugin.wanted import Wanted
from envspec.report.run_summary import run_summary
from envspec.report.text import ansi, plain
from envspec.session.live import Environment, Handle
from envspec.session.status import SessionStatus


class Telling:
    """Tells it in the process that has a terminal; under -q, nothing but what was asked for by --env-timeline.

    A worker of xdist that owns environments leaves what there is of them to the controller's. Only what a start waits
    for cannot wait for the end, so that it writes itself.
    """

    def __init__(self, pool: EnvironmentPool) -> None:
        self._pool = pool
        self._sessions = Sessions()
        self._told: set[str] = set()
        self._lines: StartLines | None = None
        worker = telling_worker(pool.config)
        if is_told(pool.config) or worker:
            self._lines = StartLines(pool.config, alone=pool.runs_tests, worker=worker)
        if pool.config.getoption("--env-timeline"):
            words_of(pool.config).ran = self._sessions.all
        if pool.owns:
            pool.owner.on_event(self._heard)
            pool.owner.on_up(self._is_up)
            pool.on_lend(self._lent)

    def _heard(self, wanted: Wanted, event: e.Event) -> None:
        """Note what happens, in the thread of the session."""
        ran = self._sessions.heard(wanted, event)
        if ran is not None and self._lines is not None and ran.starting and len(ran.events) == 1:
            self._lines.begin(ran)

    def _is_up(self, wanted: Wanted, status: SessionStatus) -> None:
        """Note one of which there was nothing to hear, since it was up before."""
        if (seconds := self._pool.owner.attached(wanted)) is not None:
            self._sessions.attached(wanted, status, seconds)

    def _lent(self, wanted: Wanted, handle: Handle, _environment: Environment) -> None:
        """Say where services are, before the first test that uses them."""
        if self._lines is not None:
            status = handle.status()
            attached = self._pool.owner.attached(wanted)
            for line in ports_table(status, attached) if status.id not in self._told else ():
                say(self._pool.config, line)
            self._told.add(status.id)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Say what is waited for while a test waits."""
        wanted = () if is_skipped(item) else self._pool.wanted_by(item)
        if self._lines is None or all(map(self._pool.owner.is_settled, wanted)):
            return (yield)
        with self._lines.waited_for():
            return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the test, and its time."""
        if report.when == "call":
            self._sessions.tested(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Leave the terminal to pytest."""
        if self._lines is not None:
            self._lines.close()

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        """Show where the time went, where that was asked for."""
        sessions = words_of(config).ran
        if not sessions:
            return
        writer = config.get_terminal_writer()
        picture = run_summary([ran.used() for ran in sessions if ran.events], writer.fullwidth)
        terminalreporter.section("environments", sep="-")
        terminalreporter.write((ansi if writer.hasmarkup else plain)(picture))
        terminalreporter.line("envspec timeline SESSION shows every service of one")
