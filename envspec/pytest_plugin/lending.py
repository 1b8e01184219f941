"""What happens around each test that wants an environment: it is there before, and given back when nobody needs it."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from envspec.pytest_plugin.ending import end_fixtures
from envspec.pytest_plugin.keys import MODELS
from envspec.pytest_plugin.pool import EnvironmentPool


class Lending:
    """Lets a test begin whose environment is sound, and gives back what the next test does not want."""

    def __init__(self, pool: EnvironmentPool) -> None:
        self._pool = pool

    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Let environments boot while tests that want none run."""
        if session.testsfailed and not session.config.option.continue_on_collection_errors:
            return  # no test will run
        if MODELS in session.config.stash:
            for test in session.config.stash[MODELS].refused:
                self._pool.finished(test)
        self._pool.begin()

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Stop a test whose environment is broken. Bring up that of one that is marked, but uses no fixture."""
        if MODELS in item.config.stash:
            item.config.stash[MODELS].require(item)  # nothing is started for a test that cannot run
        self._pool.enter(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, nextitem: pytest.Item | None) -> Generator[None, object, object]:
        """Give back what the next test does not want, its fixture and what depends on it first."""
        try:
            return (yield)
        finally:
            self._pool.leave(nextitem)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """End fixtures that an interrupted run has left."""
        end_fixtures(session)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Let an environment go whose tests are all done."""
        self._pool.finished(nodeid)
