"""What the controller of an xdist run does beside owning the environments: it tells when tests are over."""

from __future__ import annotations

import pytest

from envspec.pytest_plugin.pool import EnvironmentPool


class Hosting:
    """Lets environments go whose tests are done, and workers that still wait for one when the run is over."""

    def __init__(self, pool: EnvironmentPool) -> None:
        self._pool = pool

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Hear from a worker that a test is over."""
        self._pool.finished(nodeid)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str) -> None:
        """Hear that a test was over with its worker."""
        self._pool.finished(crashitem)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Let nobody wait for an environment while xdist waits for its workers to end."""
        self._pool.owner.refuse()
