"""The environments of one pytest process: which of them it holds, which are broken, and what to tell at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import pytest

from envspec.errors import EnvspecError, RequirementError, UsageError
from envspec.pytest_plugin.controller import end_with_controller
from envspec.pytest_plugin.lender import Lender
from envspec.pytest_plugin.model_needs import is_skipped
from envspec.pytest_plugin.owner import OnEvent, OnHandle, Owner
from envspec.pytest_plugin.start import Started, start
from envspec.pytest_plugin.terminal import say
from envspec.pytest_plugin.text import one_line, ports_table, reason, whole_story
from envspec.pytest_plugin.wanted import Wanted
from envspec.session.live import Environment, Handle
from envspec.session.request import assignments
from envspec.spec.find import find, name_of

OnLend = Callable[[Wanted, Handle, Environment], None]
OnReturn = Callable[[Wanted], None]


class EnvironmentPool:
    """This process's view: it asks the lender for what tests want, and gives back what the next test does not.

    Each test that wants an environment which failed errors at once with one line; the whole cause stands once, at the
    end of the report. `held` is what this process has now.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.held: dict[Wanted, Environment] = {}
        self.broken: dict[Wanted, str] = {}
        self._expected: tuple[Wanted, ...] = ()
        self._finishers: dict[Wanted, Callable[[], object]] = {}
        self._names: dict[Path, str] = {}
        self._all: dict[Wanted, Wanted] = {}
        self._lent: list[OnLend] = []
        self._returned: list[OnReturn] = []
        self._lines: list[str] = []
        self._told: dict[str, str] = {}
        for name in config.getoption("--env"):
            self.wanted(name)

    # What kind of process this is.

    @property
    def has_terminal(self) -> bool:
        """Whether people read what this process writes: it is no worker of xdist."""
        return not hasattr(self.config, "workerinput")

    @property
    def runs_tests(self) -> bool:
        """Whether tests run here: it is no controller of xdist."""
        return not self.config.pluginmanager.has_plugin("dsession")

    @cached_property
    def lender(self) -> Lender:
        """Whoever has the environments: this process itself, or the controller."""
        return self.owner

    @cached_property
    def owner(self) -> Owner:
        """The environments that this process owns. A worker that borrows has none: ask `owns` first."""
        if not self.has_terminal:
            end_with_controller()
        return Owner(self._start, self.config.getoption("--env-up"))

    @property
    def owns(self) -> bool:
        """Whether the environments live in this process."""
        return True

    # What tests want.

    def wanted(self, name: str, instance: str = "") -> Wanted:
        """Return what stands for an environment: one and the same object, however it is named."""
        with suppress(EnvspecError):  # the test that wants it will say so
            name = self._names.setdefault(self._file(name).resolve(), name)
        wanted = Wanted(name, instance)
        return self._all.setdefault(wanted, wanted)

    def wanted_by(self, item: pytest.Item) -> tuple[Wanted, ...]:
        """Return what a test wants: by the parameter of its fixture, or by a marker that has none."""
        from envspec.pytest_plugin import wanted_of

        return wanted_of(item)

    def describe(self, name: str) -> str:
        """Return one line for pytest's header: which environment, from which file."""
        try:
            file = self._file(name)
        except EnvspecError as error:
            hint = f"\nhint: {error.hint}" if error.hint else ""
            raise pytest.UsageError(f"{one_line(error)}{hint}") from error
        return f"{name_of(file)} ({_short(file, self.config.rootpath)})"

    def check_options(self) -> None:
        """Refuse options that no environment could be started with, before any test runs."""
        try:
            assignments("--env-set", self.config.getoption("--env-set"))
        except UsageError as error:
            raise pytest.UsageError(f"{one_line(error)}\nhint: {error.hint}") from error

    def _file(self, name: str) -> Path:
        return find(name, self.config.rootpath)

    # Around each test.

    def expect(self, items: Iterable[pytest.Item]) -> None:
        """Hear which tests will run here."""
        groups = {item.nodeid: () if is_skipped(item) else self._known(self.wanted_by(item)) for item in items}
        self.lender.expect(groups)

    def _known(self, wanted: tuple[Wanted, ...]) -> tuple[Wanted, ...]:
        """Leave out what there is no file of: the test that wants it will say so."""
        return tuple(one for one in wanted if one.name in self._names.values())

    def begin(self) -> None:
        """Let environments boot that the tests to come want."""
        if self.owns:
            self.owner.begin()

    def enter(self, item: pytest.Item) -> None:
        """Let a test begin, unless what it wants is broken."""
        self._expected = self.wanted_by(item)
        for wanted in self._expected:
            self._require_sound(wanted)

    def leave(self, nextitem: pytest.Item | None) -> None:
        """Give back what the next test does not want, after the fixture and what depends on it."""
        next_ones = self.wanted_by(nextitem) if nextitem is not None else ()
        for wanted in [one for one in self.held if one not in next_ones]:
            self.give_back(wanted)

    def finished(self, test: str) -> None:
        """Hear that a test is over."""
        if self.owns:
            self.owner.finished(test)

    def live(self, wanted: Wanted | None) -> Environment:
        """Return the environment, started if nobody has yet.

        Skips the test where the host lacks what the environment requires, unless --env-strict; fails it where the
        environment does not start or is broken.
        """
        wanted = wanted or self._only()
        self._require_sound(wanted)
        if wanted not in self.held:
            self._lend(wanted)
        return self.held[wanted]

    def give_back(self, wanted: Wanted) -> None:
        """Finish the fixture of an environment, and give it back."""
        try:
            if (finish := self._finishers.pop(wanted, None)) is not None:
                finish()
        finally:
            if self.held.pop(wanted, None) is not None:
                for callback in self._returned:
                    callback(wanted)
                self.lender.give_back(wanted)

    def finish_with(self, wanted: Wanted, finish: Callable[[], object]) -> None:
        """Say how the fixture of an environment is finished, which has to happen before it is given back."""
        self._finishers[wanted] = finish

    def on_lend(self, callback: OnLend) -> None:
        """Call `callback` when this process gets an environment, in the thread that wanted it."""
        self._lent.append(callback)

    def on_return(self, callback: OnReturn) -> None:
        """Call `callback` just before this process gives one back."""
        self._returned.append(callback)

    def break_(self, wanted: Wanted, sentence: str) -> None:
        """Let tests that want it error at once with this sentence; under --env-on-crash=restart, get a fresh one."""
        if self.config.getoption("--env-on-crash") == "restart":
            if wanted in self.held:
                session = self.held[wanted].id
                self.give_back(wanted)
                self.lender.renew(wanted, session)
            return
        self.broken.setdefault(wanted, sentence)

    def _require_sound(self, wanted: Wanted) -> None:
        if wanted in self.broken:
            pytest.fail(self.broken[wanted], pytrace=False)

    def _only(self) -> Wanted:
        names = list(dict.fromkeys(self.config.getoption("--env")))
        if len(names) == 1:
            return self.wanted(names[0])
        pytest.fail(
            "this test asks for an environment, and none was named\n"
            "hint: run pytest with --env=NAME, or mark the test: @pytest.mark.environment('NAME')",
            pytrace=False,
        )

    def _lend(self, wanted: Wanted) -> None:
        self._check_name(wanted)
        known = self.owns and self.owner.is_up(wanted)
        if not known:
            say(self.config, f"envspec: starting {wanted} …")
        handle: Handle | EnvspecError
        try:
            handle = self.lender.lend(wanted, at_once=wanted not in self._expected)
        except EnvspecError as error:
            handle = error
        if isinstance(handle, EnvspecError):
            self._refuse(wanted, handle)  # out here, or pytest would show both errors
        self.held[wanted] = environment = Environment(handle)
        for line in ports_table(handle.status()):
            say(self.config, line)
        for callback in self._lent:
            callback(wanted, handle, environment)

    def _check_name(self, wanted: Wanted) -> None:
        unknown = ""
        try:
            self._file(wanted.name)
        except EnvspecError as error:
            unknown = f"{one_line(error)}\nhint: {error.hint}"
        if unknown:
            pytest.fail(unknown, pytrace=False)  # out here, or pytest would show both errors

    def _start(self, wanted: Wanted, on_event: OnEvent, on_handle: OnHandle) -> Started:
        sets = assignments("--env-set", self.config.getoption("--env-set"))
        keep = self.config.getoption("--env-keep")
        return start(self._file(wanted.name), sets, keep=keep, on_event=on_event, on_handle=on_handle)

    def _refuse(self, wanted: Wanted, error: EnvspecError) -> NoReturn:
        if self._is_skip(error) and isinstance(error, RequirementError):
            pytest.skip(f"environment {wanted.name}: {reason(error)}")
        pytest.fail(
            f"environment {wanted.name} did not start: {one_line(error)}\n(all of it at the end)", pytrace=False
        )

    def _is_skip(self, error: EnvspecError) -> bool:
        return isinstance(error, RequirementError) and not self.config.getoption("--env-strict")

    # The end.

    def close(self) -> bool:
        """Give back what is held, and take down what this process owns; tell whether Ctrl-C came meanwhile."""
        for wanted in list(self.held):
            self.give_back(wanted)
        interrupted = False
        if self.owns:
            self.owner.close(self._say)
            self._lines += self.owner.lines
            interrupted = self.owner.interrupted
        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput["envspec"] = {"lines": self._lines, "stories": self._stories()}
        return interrupted

    def _say(self, words: str) -> None:
        say(self.config, f"envspec: {words}")

    def _stories(self) -> dict[str, str]:
        """Return the whole cause of each environment that failed, by name."""
        failed = self.owner.failed if self.owns else {}
        return {wanted.name: whole_story(error) for wanted, error in failed.items() if not self._is_skip(error)}

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
