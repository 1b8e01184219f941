"""The environments of one pytest process: which of them it holds, which are broken, and what to tell at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.outcomes import Failed  # pytest.fail.Exception, as a class that can be seen

from envspec.errors import EnvspecError
from envspec.pytest_plugin.borrower import Borrower
from envspec.pytest_plugin.controller import end_with_controller
from envspec.pytest_plugin.ending import tried
from envspec.pytest_plugin.fixtures import Fixtures
from envspec.pytest_plugin.keys import MEETING, POOL, is_ordered
from envspec.pytest_plugin.last_words import words_of
from envspec.pytest_plugin.lender import Lender
from envspec.pytest_plugin.markers import is_marked, names_of, wanted_of
from envspec.pytest_plugin.meeting import BROKER
from envspec.pytest_plugin.model_needs import is_skipped
from envspec.pytest_plugin.naming import Naming
from envspec.pytest_plugin.refusing import Refusals, check_name, cut_short, is_skip
from envspec.pytest_plugin.terminal import say
from envspec.pytest_plugin.text import ports_table, whole_story
from envspec.pytest_plugin.unnamed import Unnamed
from envspec.pytest_plugin.wanted import Groups, Wanted
from envspec.session.live import Environment, Handle
from envspec.session.status import SessionStatus

if TYPE_CHECKING:
    from envspec.pytest_plugin.broker import Broker
    from envspec.pytest_plugin.owner import Owner

OnLend = Callable[[Wanted, Handle, Environment], None]
OnReturn = Callable[[Wanted], None]


class EnvironmentPool:
    """This process's view: it asks the lender for what tests want, and gives back what the next one does not.

    Tests that want one which failed error at once with one line, and the whole cause stands once, at the end. `held` is
    what this process has now, `groups` what the tests of the run want.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.naming = Naming(config)
        self.unnamed = Unnamed(config, self.naming)
        self.groups: Groups = {}
        self.held: dict[Wanted, Environment] = {}
        self.broken: dict[Wanted, str] = {}
        self._sessions: dict[Wanted, str] = {}
        self._input: dict[str, Any] = getattr(config, "workerinput", {})
        self._test = ""
        self._expected: tuple[Wanted, ...] = ()
        self.fixtures = Fixtures()
        self._refusals = Refusals(config)
        self._to_the_end: set[Wanted] = set()
        self._lent: list[OnLend] = []
        self._returned: list[OnReturn] = []

    @property
    def has_terminal(self) -> bool:
        """Whether people read what this process writes: it is no worker of xdist."""
        return not self._input

    @property
    def runs_tests(self) -> bool:
        """Whether tests run here: it is no controller of xdist."""
        return not self.config.pluginmanager.has_plugin("dsession")

    @property
    def unforeseen(self) -> set[Wanted]:
        """What a test got that nobody knew of: any of those to come may use it as well."""
        return self._to_the_end & self.held.keys()

    @property
    def owns(self) -> bool:
        """Whether the environments live in this process."""
        return not self._input or not self._input["envspec"]["meeting"]

    @cached_property
    def lender(self) -> Lender:
        """Whoever has the environments: this process itself, or the controller."""
        if not self.has_terminal:
            end_with_controller(self._input["envspec"]["meeting"])
        if self.owns:
            return self.owner
        return Borrower(Path(self._input["envspec"]["meeting"]), self._input["workerid"])

    @cached_property
    def owner(self) -> Owner:
        """The environments that this process owns. A worker that borrows has none: ask `owns` first."""
        from envspec.pytest_plugin.bounds import is_given_up, turns_of  # all that starts environments, workers spare
        from envspec.pytest_plugin.owner import Owner
        from envspec.pytest_plugin.start import start_of

        # A process that runs all tests itself can wait for none of them.
        bounded = not self.runs_tests and is_ordered(self.config)
        owner = Owner(
            start_of(self.config.getoption, self.naming, lambda line: owner.lines.append(f"envspec: {line}")),
            turns_of(self.config, self.naming, bounded=bounded),
            partial(is_given_up, self.config),
        )
        owner.on_up(self._is_up)
        return owner

    def _is_up(self, wanted: Wanted, status: SessionStatus) -> None:
        """Say where services are that no test of this process, or none of a process with a terminal, will use."""
        lines = ports_table(status, self.owner.attached(wanted))
        if not self.has_terminal and self.config.get_verbosity() >= 0:
            words_of(self.config).lines += lines
        if not self.runs_tests:
            for line in lines:
                say(self.config, line)

    def expect(self, items: Iterable[pytest.Item]) -> None:
        """Hear which tests will run here."""
        # What there is no file of is left out: the test that wants it will say so.
        wanted = {item.nodeid: () if is_skipped(item) else self.wanted_by(item) for item in items}
        groups = {test: tuple(filter(self.naming.exists, several)) for test, several in wanted.items()}
        if self.has_terminal or not self.owns:
            self.groups = groups
            self.lender.expect(groups)
        elif self._input["envspec"]["ordered"]:
            self.lender.expect({})  # which tests come here nobody knows: what the next one does not want may go

    def host(self, groups: Groups | None = None) -> None:
        """Own the environments of xdist's workers: those of --env are started at once, the others when it is known.

        May be called again.
        """
        _ = self.broker
        if groups is None:
            self.owner.begin(filter(self.naming.exists, self.naming.chosen))
        elif not self.groups:
            self.groups = groups
            self.owner.expect(groups)
            self.owner.begin()

    @cached_property
    def broker(self) -> Broker:
        """Where the workers of this controller ask."""
        from envspec.pytest_plugin.broker import Broker

        place = Path(self.config.stash[MEETING])
        place.mkdir(mode=0o700, exist_ok=True)
        return Broker(self.owner, place / BROKER)

    def wanted_by(self, item: pytest.Item) -> tuple[Wanted, ...]:
        """Return what a test wants, by the parameter of its fixture, or by a marker where it has no fixture."""
        return wanted_of(item, self.naming)

    def begin(self) -> None:
        """Let environments boot that the tests to come want."""
        if self.owns:
            self.owner.begin()

    def enter(self, item: pytest.Item) -> None:
        """Let a test begin, unless what it wants is broken. Brings up what one that is marked wants, but takes not."""
        if is_marked(item, self.naming):
            names_of(item, self.config)  # fails a test whose marker is wrong
        self.unnamed.enter(item)
        self._test = item.nodeid
        self._expected = self.wanted_by(item)
        declared = "environment" in getattr(item, "fixturenames", ())
        if declared or is_marked(item, self.naming):  # who asks by name may not do so this time
            for wanted in self._expected:
                self._require_sound(wanted)
                if not declared:
                    self.live(wanted)

    def leave(self, nextitem: pytest.Item | None) -> None:
        """Give back what the next test does not want, after the fixture and what depends on it."""
        next_ones = self.wanted_by(nextitem) if nextitem is not None else ()
        for wanted in [one for one in self.held if one not in next_ones and one not in self._to_the_end]:
            self.give_back(wanted)

    def finished(self, test: str) -> None:
        """Hear that a test is over."""
        if self.owns:
            self.owner.finished(test)

    def fixture(self, wanted: Wanted | None, finish: Callable[[], object]) -> Environment:
        """Return what the fixture of a test gives, by its parameter if it has one.

        `finish` ends the fixture and what depends on it, which has to happen before the environment is given back.
        """
        wanted = wanted or self.unnamed.take(finish)
        live = self.live(wanted)
        self.fixtures.gave(wanted, finish)
        return live

    def live(self, wanted: Wanted) -> Environment:
        """Return the environment, started if nobody has yet.

        Skips the test where the host lacks what the environment requires, unless --env-strict; fails it where the
        environment does not start or is broken.
        """
        self._require_sound(wanted)
        while wanted not in self.held:  # still, where it had broken while nobody had it: a fresh one is lent then
            self._lend(wanted)
            self._require_sound(wanted)
        return self.held[wanted]

    def give_back(self, wanted: Wanted) -> None:
        """Finish the fixture of an environment, and give it back."""
        try:
            self.fixtures.finish(wanted)
        finally:
            if self.held.pop(wanted, None) is not None:
                for callback in self._returned:
                    callback(wanted)
                self.lender.give_back(wanted)

    def on_lend(self, callback: OnLend) -> None:
        """Call `callback` when this process gets an environment, in the thread that wanted it."""
        self._lent.append(callback)

    def on_return(self, callback: OnReturn) -> None:
        """Call `callback` just before this process gives one back."""
        self._returned.append(callback)

    def break_(self, wanted: Wanted, sentence: str) -> None:
        """Let tests that want it error at once with this sentence; under --env-on-crash=restart, get a fresh one.

        A fresh one also gets a test whose own it was, if it is run again.
        """
        if self.config.getoption("--env-on-crash") != "restart" and wanted.instance != self._test:
            self.broken.setdefault(wanted, sentence)
            self.fixtures.finish(wanted)  # who asks for it by name is told then, too
        elif wanted in self.held:
            self.give_back(wanted)
            self.lender.renew(wanted, self._sessions[wanted])

    def _require_sound(self, wanted: Wanted) -> None:
        self._refusals.again(wanted)
        if wanted in self.broken:
            pytest.fail(self.broken[wanted], pytrace=False)

    def _lend(self, wanted: Wanted) -> None:
        check_name(wanted, self.naming)
        expected = wanted in self._expected
        handle: Handle | EnvspecError | Failed
        try:
            handle = self.lender.lend(wanted, at_once=not expected)
        except (EnvspecError, Failed) as error:
            handle = error
        if isinstance(handle, Failed):  # pytest-timeout's: the start goes on
            cut_short(wanted, handle, self.lender.waited_for(wanted))
        if isinstance(handle, EnvspecError):
            self._refusals.refuse(wanted, handle, self._test)  # out here, or pytest would show both errors
        if not expected:  # asked for by name, out of the fixture's sight: nobody knows who needs it next
            self._to_the_end.add(wanted)
        self.held[wanted] = environment = Environment(handle)
        self._sessions[wanted] = environment.id  # one that broke down can tell it no more
        for callback in self._lent:
            if self.held.get(wanted) is environment:  # none has found that it is broken
                callback(wanted, handle, environment)

    def close(self) -> bool:
        """Give back what is held, and take down what this process owns; tell whether Ctrl-C came meanwhile."""
        interrupted = False
        for wanted in list(self.held):
            failure = f"environment {wanted} could not be given back"
            interrupted |= tried(self.config, failure, partial(self.give_back, wanted))
        if isinstance(self.lender, Borrower):
            self.lender.close()
            return interrupted
        words = words_of(self.config)
        self.owner.interrupted |= interrupted
        close = partial(self.owner.close, lambda line: say(self.config, f"envspec: {line}"))
        tried(self.config, "the environments could not be taken down", close)
        if "broker" in self.__dict__:
            self.broker.close()
        for wanted, error in self.owner.failed.items():
            if not is_skip(error, self.config):
                words.sections[f"environment {wanted.name} did not start"] = whole_story(error)
        words.lines += self.owner.lines
        words.sessions += self.owner.sessions
        return self.owner.interrupted


def pool_of(config: pytest.Config) -> EnvironmentPool:
    """Return the environments of this run, made when first asked for."""
    if POOL not in config.stash:
        config.stash[POOL] = EnvironmentPool(config)
    return config.stash[POOL]
