"""`--env-report PATH`: after a run that failed, all that is known of its environments, for somebody else to read."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Generator, Iterable
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import pytest

import envspec
from envspec.errors import EnvspecError
from envspec.plan.redact import secrets_of
from envspec.pytest_plugin.last_words import words_of
from envspec.pytest_plugin.pool import EnvironmentPool
from envspec.pytest_plugin.report_place import report_place
from envspec.report.bundle import FailedTest, Recorded, Run, write_bundle
from envspec.session.state import RECORD

UNFAILED = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


class Bundling:
    """Remembers which tests failed, and writes the report once nothing runs any more."""

    def __init__(self, pool: EnvironmentPool) -> None:
        self._pool = pool
        self._failed: list[FailedTest] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember a test that failed: here, or in a worker."""
        if report.failed and self._pool.config.getoption("--env-report"):
            sections = tuple((str(title), str(text)) for title, text in report.sections)
            self._failed.append(FailedTest(report.nodeid, str(report.when), report.longreprtext, sections))

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Write the report when all environments are down: their last words are in it."""
        try:
            return (yield)
        finally:
            config = self._pool.config
            if config.getoption("--env-report") and session.exitstatus not in UNFAILED:
                self._write(report_place(config))

    def _write(self, path: Path) -> None:
        config = self._pool.config
        ours = secrets_of([os.environ])
        sessions = [
            Recorded(ran.id, ran.environment, ran.directory, tuple(dict.fromkeys((*ran.secrets, *ours))))
            for ran in words_of(config).sessions
        ]
        command = ["pytest", *map(str, config.invocation_params.args)]
        lines = words_of(config).lines
        versions = {**_versions(), **_packages(session.directory for session in sessions)}
        try:
            write_bundle(path, Run(command, sessions, self._failed, versions, ours, words_of(config).sections))
        except OSError as error:
            lines.append(f"envspec: the report could not be written to {path}: {error.strerror or error}")
        else:
            lines.append(f"envspec: what is known of this run is in {path}")


def _packages(directories: Iterable[Path]) -> dict[str, str]:
    """Return the versions of the packages that the environments of these sessions require."""
    from envspec.spec.load import load

    modules: dict[str, None] = {}
    for directory in directories:
        with suppress(
            EnvspecError, OSError, ValueError, KeyError
        ):  # its file may be gone, or in the middle of a change
            file = Path(json.loads((directory / RECORD).read_bytes())["file"])
            modules.update(dict.fromkeys(load(file, environ=os.environ).requires.modules))
    return _versions_of(modules)


def _versions_of(modules: Iterable[str]) -> dict[str, str]:
    distributions = metadata.packages_distributions()
    names = {name for module in modules for name in distributions.get(module.partition(".")[0], ())}
    return {name: metadata.version(name) for name in sorted(names)}


def _versions() -> dict[str, str]:
    return {
        "envspec": envspec.__version__,
        "pytest": pytest.__version__,
        "python": platform.python_version(),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
