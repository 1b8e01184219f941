"""The environments of one pytest process: each started when it is first needed, once, and stopped at the end."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from envspec.errors import EnvspecError, RequirementError, UsageError
from envspec.pytest_plugin.text import one_line, ports_table, whole_story
from envspec.session.live import Environment

if TYPE_CHECKING:
    from envspec.pytest_plugin.start import Started


@dataclass
class Failure:
    """An environment that did not start, and whether a test has told the whole story yet."""

    error: EnvspecError
    told: bool = False


class EnvironmentPool:
    """Starts environments, remembers those that failed, and takes all down.

    A failed environment is tried once: the first test that needs it errors with the whole cause, the others at once
    with one line.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._live: dict[str, Started] = {}
        self._failed: dict[str, Failure] = {}
        self._heard: dict[str, list[str]] = {}

    def describe(self, name: str) -> str:
        """Return one line for pytest's header: which environment, from which file."""
        try:
            file = self._file(name)
        except EnvspecError as error:
            raise pytest.UsageError(one_line(error)) from error
        return f"{file.stem} ({_short(file, self._config.rootpath)})"

    def live(self, name: str | None) -> Environment:
        """Return the environment, started if this is the first call for it.

        Skips the test where the host lacks what the environment requires, unless --env-strict; fails it where the
        environment does not start.
        """
        if name is None:
            name = self._only()
        if name in self._failed:
            self._refuse(name, self._failed[name])
        if name not in self._live:
            self._start(name)
        return self._live[name].environment

    def _only(self) -> str:
        names: list[str] = self._config.getoption("--env")
        if len(names) == 1:
            return names[0]
        pytest.fail(
            "this test asks for an environment, and none was named\n"
            "hint: run pytest with --env=NAME, or mark the test: @pytest.mark.environment('NAME')",
            pytrace=False,
        )

    def _file(self, name: str) -> Path:
        from envspec.spec.find import find

        return find(name, self._config.rootpath)

    def _start(self, name: str) -> None:
        from envspec.pytest_plugin.start import start

        self._say(f"envspec: starting {name} …")
        try:
            sets = parse_sets(self._config.getoption("--env-set"))
            self._live[name] = start(self._file(name), sets, keep=self._config.getoption("--env-keep"))
        except EnvspecError as error:
            self._failed[name] = Failure(error)
            self._refuse(name, self._failed[name])
        for line in ports_table(self._live[name].status()):
            self._say(line)

    def _refuse(self, name: str, failure: Failure) -> NoReturn:
        error = failure.error
        if isinstance(error, RequirementError) and not self._config.getoption("--env-strict"):
            pytest.skip(f"environment {name}: {one_line(error)}")
        if failure.told:
            pytest.fail(f"environment {name} did not start: {one_line(error)}", pytrace=False)
        failure.told = True
        pytest.fail(f"environment {name} did not start\n\n{whole_story(error)}", pytrace=False)

    def close(self) -> None:
        """Stop every environment, the last one started first; one that will not stop does not spare the others."""
        kept = []
        for name, started in reversed(self._live.items()):
            if started.kept:
                kept.append(f"envspec: {name} is still up: envspec down {started.environment.id}")
                continue
            try:
                started.stop()
            except EnvspecError as error:
                self._heard.setdefault("", []).append(f"envspec: {name}: {one_line(error)}")
        self._heard.setdefault("", []).extend(kept)
        self._live.clear()
        if hasattr(self._config, "workeroutput"):
            failed = [f"{name} did not start: {one_line(f.error)}" for name, f in self._failed.items()]
            self._config.workeroutput["envspec"] = [*self._heard.get("", []), *failed]

    def heard(self, worker: str, lines: list[str]) -> None:
        """Keep what an xdist worker reported, for the summary."""
        self._heard[worker] = lines

    def summarise(self, terminal: Any) -> None:
        """Write what a person should know after the run: environments that failed, and those still up."""
        failed = {n: f for n, f in self._failed.items() if not isinstance(f.error, RequirementError)}
        for name, failure in failed.items():
            terminal.section(f"environment {name} did not start", sep="-", red=True)
            terminal.line(one_line(failure.error))
        for worker, lines in self._heard.items():
            for line in lines:
                terminal.line(f"[{worker}] {line}" if worker else line)

    def _say(self, line: str) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or self._config.get_verbosity() < 0:
            return
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        if capture is None:
            reporter.write_line(line)
            return
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(line)


def parse_sets(pairs: list[str]) -> dict[str, str]:
    """Read `KEY=VALUE` options.

    Raises:
        UsageError: one has no `=`.
    """
    for pair in pairs:
        if "=" not in pair:
            raise UsageError(f"--env-set {pair}: this is written KEY=VALUE")
    return dict(pair.split("=", 1) for pair in pairs)


def _short(file: Path, root: Path) -> str:
    return os.path.relpath(file, root) if file.is_relative_to(root) else str(file)
