"""The environments of one pytest process: each started when it is first needed, once, and stopped at the end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from envspec.errors import EnvspecError, RequirementError, UsageError
from envspec.pytest_plugin.controller import end_with_controller
from envspec.pytest_plugin.terminal import say
from envspec.pytest_plugin.text import one_line, ports_table, reason, whole_story
from envspec.report.stopping import told_while_stopping
from envspec.session.live import Environment
from envspec.session.request import assignments

if TYPE_CHECKING:
    from envspec.pytest_plugin.start import Started


class EnvironmentPool:
    """Starts environments, remembers those that failed, and takes all down.

    A failed environment is tried once. Each test that needs it errors at once with one line; the whole cause stands
    once, at the end of the report. `interrupted` says that Ctrl-C came while it took them down.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._live: dict[str, Started] = {}
        self._failed: dict[str, EnvspecError] = {}
        self._names: dict[Path, str] = {}
        self._lines: list[str] = []
        if hasattr(config, "workerinput"):
            end_with_controller()
        self._told: dict[str, str] = {}
        self.interrupted = False

    def describe(self, name: str) -> str:
        """Return one line for pytest's header: which environment, from which file."""
        try:
            file = self._file(name)
        except EnvspecError as error:
            hint = f"\nhint: {error.hint}" if error.hint else ""
            raise pytest.UsageError(f"{one_line(error)}{hint}") from error
        from envspec.spec.find import name_of

        return f"{name_of(file)} ({_short(file, self._config.rootpath)})"

    def check_options(self) -> None:
        """Refuse options that no environment could be started with, before any test runs."""
        try:
            assignments("--env-set", self._config.getoption("--env-set"))
        except UsageError as error:
            raise pytest.UsageError(f"{one_line(error)}\nhint: {error.hint}") from error

    def live(self, name: str | None) -> Environment:
        """Return the environment, started if this is the first call for it.

        Skips the test where the host lacks what the environment requires, unless --env-strict; fails it where the
        environment does not start.
        """
        name = self._key(name or self._only())
        if name in self._failed:
            self._refuse(name, self._failed[name])
        if name not in self._live:
            self._start(name)
        return self._live[name].environment

    def _key(self, name: str) -> str:
        """Return one name for an environment that may be named in several ways: by name, by path."""
        unknown = ""
        try:
            return self._names.setdefault(self._file(name).resolve(), name)
        except EnvspecError as error:
            unknown = f"{one_line(error)}\nhint: {error.hint}"
        pytest.fail(unknown, pytrace=False)  # out here, or pytest would show both errors

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

        say(self._config, f"envspec: starting {name} …")
        try:
            sets = assignments("--env-set", self._config.getoption("--env-set"))
            self._live[name] = start(self._file(name), sets, keep=self._config.getoption("--env-keep"))
        except EnvspecError as error:
            self._failed[name] = error
        if name in self._failed:
            self._refuse(name, self._failed[name])
        lines = ports_table(self._live[name].status())
        if hasattr(self._config, "workeroutput"):
            self._lines += lines  # only the controller has a terminal; it tells them at the end
        for line in lines:
            say(self._config, line)

    def _refuse(self, name: str, error: EnvspecError) -> NoReturn:
        if isinstance(error, RequirementError) and self._is_skip(error):
            pytest.skip(f"environment {name}: {reason(error)}")
        pytest.fail(f"environment {name} did not start: {one_line(error)}\n(all of it at the end)", pytrace=False)

    def _is_skip(self, error: EnvspecError) -> bool:
        return isinstance(error, RequirementError) and not self._config.getoption("--env-strict")

    def close(self) -> None:
        """Stop every environment, the last one started first; one that will not stop does not spare the others.

        Ctrl-C meanwhile means that it should be quick: what is left is ended by force.
        """
        kept = []
        for name, started in reversed(self._live.items()):
            if started.kept:
                kept.append(f"envspec: {name} is still up: envspec down {started.environment.id}")
                continue
            try:
                with told_while_stopping(started.status, self._say):
                    started.stop(force=self.interrupted)
            except EnvspecError as error:
                self._lines.append(f"envspec: {name}: {one_line(error)}")
            except KeyboardInterrupt as interrupt:
                self.interrupted = True
                self._lines.append(f"envspec: {interrupt}")
        self._lines += kept
        self._live.clear()
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput["envspec"] = {"lines": self._lines, "stories": self._stories()}

    def _say(self, words: str) -> None:
        say(self._config, f"envspec: {words}")

    def _stories(self) -> dict[str, str]:
        """Return the whole cause of each environment that failed, by name."""
        failed = {name: error for name, error in self._failed.items() if not self._is_skip(error)}
        return {name: whole_story(error) for name, error in failed.items()}

    def heard(self, worker: str, told: Mapping[str, Any]) -> None:
        """Keep what an xdist worker has to say; a cause that several workers tell is kept once."""
        self._lines += [f"[{worker}] {line}" for line in told["lines"]]
        self._told = {**told["stories"], **self._told}

    def summarise(self, terminal: Any) -> None:
        """Write what a person should know after the run: why environments failed, and which are still up."""
        for name, story in {**self._told, **self._stories()}.items():
            terminal.section(f"environment {name} did not start", sep="-", red=True)
            terminal.line(story)
        for line in self._lines:
            terminal.line(line)


def _short(file: Path, root: Path) -> str:
    return os.path.relpath(file, root) if file.is_relative_to(root) else str(file)
