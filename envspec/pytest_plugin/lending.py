"""What happens around each test that wants an environment: it is there before, and given back when nobody needs it."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from envspec.pytest_plugin.pool import EnvironmentPool


class Lending:
    """Lets a test begin whose environment is sound, and gives back what the next test does not want."""

    def __init__(self, pool: EnvironmentPool) -> None:
        self._pool = pool

    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Let environments boot while tests that want none run."""
        if not session.config.option.collectonly and not session.testsfailed:
            self._pool.begin()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Stop a test whose environment is broken. Bring up that of one that is marked, but uses no fixture."""
        self._pool.enter(item)
        if "environment" not in getattr(item, "fixturenames", ()):
            for wanted in self._pool.wanted_by(item):
                self._pool.live(wanted)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, nextitem: pytest.Item | None) -> Generator[None, object, object]:
        """Give back what the next test does not want, its fixture and what depends on it first."""
        try:
            return (yield)
        finally:
            self._pool.leave(nextitem)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Let an environment go whose tests are all done."""
        self._pool.finished(nodeid)
