"""Fails the test that uses an environment as soon as something of it dies, and says what.

Each process looks after the environments that it has by itself: under xdist, every worker's test is told its own
sentence. Nothing is given back or broken but on the main thread, between two tests.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import pytest

from envspec.pytest_plugin.blame import blame, forget_interrupted
from envspec.pytest_plugin.culprit import Loss
from envspec.pytest_plugin.ending import tried
from envspec.pytest_plugin.interrupt import EnvironmentBroken, Interrupter, StartCutShort
from envspec.pytest_plugin.last_words import words_of
from envspec.pytest_plugin.markers import wanted_of
from envspec.pytest_plugin.past import Past, Span
from envspec.pytest_plugin.pool import EnvironmentPool
from envspec.pytest_plugin.wanted import Wanted
from envspec.pytest_plugin.watch import Watch
from envspec.session.live import Environment, Handle

PATIENCE = 5.0
"""Seconds at most that a test waits for the news of what has happened already."""
LOOK_AGAIN = 0.005
"""Seconds between looks whether all of that is known."""
GRACE = 0.05
"""Seconds in which a process whose sockets are closed is seen to be dead; 7 ms were measured."""
Wrapper = Generator[None, object, object]


@dataclass(eq=False)
class Test:
    """The test that runs now. `broken` is the sentence it fails with, `stacks` where it went on nevertheless.

    `breaker` is whose loss that is, `before` what was broken when its teardown began. It `began` with its setup, was
    `called` and `left`, all in seconds since the epoch. `armed` says that it may be interrupted, `told` that a report
    of it has the sentence, `renewed` is what was broken already when it came to use it.
    `cut_short` says that it was ended while it waited for an environment.
    """

    __test__ = False

    item: pytest.Item
    uses: set[Wanted]
    began: float = field(default_factory=time.time)
    armed: bool = False
    told: bool = False
    cut_short: bool = False
    broken: str = ""
    before: str = ""
    breaker: Watch | None = None
    stacks: str = ""
    renewed: set[Wanted] = field(default_factory=set)
    called: float | None = None
    left: float | None = None

    def sentence(self, loss: Loss) -> str:
        """Say a loss to this test: how far it was into its setup, its call or its teardown."""
        name = self.item.name
        if self.left is not None and loss.time >= self.left:
            return loss.during(f"the teardown of {name}", self.left)
        if self.called is not None and loss.time >= self.called:
            return loss.during(name, self.called)
        return loss.during(f"the setup of {name}", self.began)

    def span(self) -> Span:
        """Return what is to be remembered of it, as if it ended now."""
        return Span(self.item.name, frozenset(self.uses), self.began, time.time())


class Watching:
    """Looks after the environments of this process and the test that runs in it."""

    def __init__(self, pool: EnvironmentPool) -> None:
        self._pool = pool
        self._watches: dict[Wanted, Watch] = {}
        self._test: Test | None = None
        self._past = Past()
        self._lost_ones: list[Watch] = []
        self._debugging = False
        self._news = threading.Condition()
        self._interrupter = Interrupter()
        self._interrupter.install()
        pool.on_lend(self._lent)
        pool.on_return(self._returned)

    def _lent(self, wanted: Wanted, handle: Handle, environment: Environment) -> None:
        test = self._test
        if test is not None:
            test.uses.add(wanted)
        watch = Watch(wanted, handle, environment.name, self._lost)
        self._await([watch], lambda: watch.loss is not None)
        self._watches[wanted] = watch  # not sooner: what is heard until now has happened to nobody's test
        if watch.loss is None:
            return
        if test is not None and wanted not in test.renewed:  # it broke while nobody here had it
            test.renewed.add(wanted)
            watch.told = True
            self._put_aside(watch)
        else:
            self._lost(watch)

    def _returned(self, wanted: Wanted) -> None:
        """Let go of one; what died in the last moment becomes known at the latest now."""
        if (watch := self._watches.get(wanted)) is None:
            return
        self._await([watch], lambda: watch.loss is not None)
        del self._watches[wanted]
        watch.end()
        if watch.loss is not None:
            self._lost_ones.append(watch)

    def _lost(self, watch: Watch) -> None:
        """Hear, in the thread of a watch, that its environment has lost something."""
        with self._news:
            test = self._test
            if self._watches.get(watch.wanted) is watch and test is not None and watch.wanted in test.uses:
                self._tell(test, watch)
            self._news.notify_all()

    def _tell(self, test: Test, watch: Watch) -> None:
        """Fail the test that runs, at once if it is where it may be failed."""
        if watch.loss is None or test.broken:
            return
        early = watch.loss.time < test.began  # its news came late
        if not watch.since and not early:
            watch.since = f"since {test.item.nodeid}"
        test.broken, test.breaker = self._place(watch) if early else test.sentence(watch.loss), watch
        if test.armed and not self._debugging:
            self._interrupter.interrupt(test.broken, lambda stacks: setattr(test, "stacks", stacks))

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Wrapper:
        """Let the setup of a test be interrupted, once those environments are put aside that broke before it."""
        if tried(self._pool.config, "what used an environment that broke could not be ended", self._settle):
            raise KeyboardInterrupt
        with self._news:
            self._test = test = Test(item, {*wanted_of(item, self._pool.naming), *self._pool.unforeseen})
        for watch in self._lost_ones:
            watch.told |= watch.wanted in test.uses  # it errors at once, or gets a fresh one
        try:
            return (yield from self._interruptible())
        except StartCutShort:
            test.cut_short = True
            raise

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self) -> Wrapper:
        """Let a test be interrupted."""
        if self._test is not None:
            self._test.called = time.time()
        return (yield from self._interruptible())

    def _interruptible(self) -> Wrapper:
        test = self._test
        if test is None:
            return (yield)
        with self._news:
            for watch in [watch for watch in self._watches.values() if watch.wanted in test.uses]:
                self._tell(test, watch)
            late = test.broken and not self._debugging
            if not late:
                test.armed = True
                self._interrupter.arm()
        if late:  # it came where pytest must not be interrupted, between two parts of the test
            raise EnvironmentBroken(test.broken, pytrace=False)
        try:
            return (yield)
        except BaseException as error:
            if (broken := self._interrupter.broken_by(error)) is not None:
                raise broken from None
            raise
        finally:
            self._interrupter.disarm()
            with self._news:
                test.armed = False

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Wrapper:
        """Put aside what has broken before it is given back."""
        broken = self._pool.broken
        if self._test is not None:
            self._test.left = time.time()
            self._test.before = next((broken[wanted] for wanted in self._pool.held if wanted in broken), "")
        try:
            return (yield)
        except Exception:
            self._await_news()
            raise
        finally:
            if self._test is not None and (self._test.broken or self._test.cut_short):
                forget_interrupted(item)
            self._settle()

    def _settle(self) -> None:
        for watch in [watch for watch in self._watches.values() if watch.loss is not None]:
            self._put_aside(watch)

    def _put_aside(self, watch: Watch) -> None:
        self._returned(watch.wanted)
        self._pool.break_(watch.wanted, self._epitaph(watch))

    def _epitaph(self, watch: Watch) -> str:
        """Say of an environment what has broken it, and when."""
        what = watch.loss.what if watch.loss is not None and watch.since else self._place(watch)
        return f"environment {watch.name} is broken{f' {watch.since}' if watch.since else ''}: {what}"

    def _place(self, watch: Watch) -> str:
        """Say a loss by its time, where no test was told that it came in."""
        test = self._test
        now = test.span() if test is not None and watch.wanted not in test.renewed else None
        return self._past.place(watch.wanted, watch.loss, now) if watch.loss is not None else ""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """See that a test whose environment broke is failed, and says so first."""
        report = yield
        test = self._test
        if test is None:
            return report
        if report.outcome == "failed" and call.when != "teardown":  # there, they were awaited before it was given back
            self._await_news()
        with self._news:
            culprit = "" if test.told else test.broken
            if call.when == "teardown":
                self._past.add(test.span())
                self._test = None
                if report.outcome == "failed":
                    culprit = test.broken or test.before
        if culprit:
            test.told = True
            if test.breaker is not None:
                test.breaker.told = True
            if not (hasattr(report, "wasxfail") and self._harms_nobody(test)):
                blame(report, culprit, test.stacks)
        return report

    def _harms_nobody(self, test: Test) -> bool:
        """Tell whether what broke is nobody else's, or started anew for who comes next: a test may expect that."""
        own = test.breaker is not None and test.breaker.wanted.instance == test.item.nodeid
        return own or self._pool.config.getoption("--env-on-crash") == "restart"

    def _await_news(self) -> None:
        """Give a death that made the test fail a moment to become known."""
        if (test := self._test) is None:
            return
        watches = [watch for watch in self._watches.values() if watch.wanted in test.uses]
        until = time.monotonic() + GRACE
        with self._news:
            known = bool(test.broken)
        while not known and not self._await(watches, lambda: bool(test.broken)) and time.monotonic() < until:
            with self._news:
                known = self._news.wait_for(lambda: bool(test.broken), GRACE / 10)

    def _await(self, watches: list[Watch], known: Callable[[], bool]) -> bool:
        """Wait for the news of a death, or of anything else that has happened already; tell whether there were any."""
        late = False
        until = time.monotonic() + PATIENCE
        while any(watch.is_about_to_tell() for watch in watches) and time.monotonic() < until:
            late = True
            with self._news:
                if self._news.wait_for(known, LOOK_AGAIN):
                    break
        return late

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Wrapper:
        """Tell at the end what no test could: whatever is still held is given back within."""
        self._test = None
        self._pool.on_return(lambda _: self._tell_the_rest())
        self._tell_the_rest()
        return (yield)

    def _tell_the_rest(self) -> None:
        words = words_of(self._pool.config)
        for watch in self._lost_ones:
            if not watch.told:
                words.lines.append(f"envspec: {self._epitaph(watch)}")
                words.lost = watch.told = True

    def pytest_enter_pdb(self) -> None:
        """Leave a person alone who looks around in a test."""
        self._debugging = True

    def pytest_leave_pdb(self) -> None:
        """Nobody looks any more."""
        self._debugging = False

    def pytest_unconfigure(self) -> None:
        """Give the signal back."""
        self._interrupter.restore()
