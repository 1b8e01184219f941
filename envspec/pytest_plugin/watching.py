"""Fails the test that uses an environment as soon as something of it dies, and says what.

Each process looks after the environments that it has by itself: under xdist, every worker's test is told its own
sentence. Nothing is given back or broken but on the main thread, between two tests.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from envspec.agent.identity import stat_fields
from envspec.errors import EnvspecError
from envspec.plan.events import Event, SessionFailed
from envspec.pytest_plugin.culprit import Loss, Losses
from envspec.pytest_plugin.interrupt import EnvironmentBroken, Interrupter
from envspec.pytest_plugin.markers import wanted_of
from envspec.pytest_plugin.pool import EnvironmentPool
from envspec.pytest_plugin.wanted import Wanted
from envspec.session.harmless import harmless
from envspec.session.live import Environment, Handle
from envspec.session.status import SessionStatus

PATIENCE = 0.5
"""Seconds that a failed test waits for the news of a death that the kernel knows already."""
Wrapper = Generator[None, object, object]


@dataclass(eq=False)
class Test:
    """The test that runs now. `broken` is the sentence it fails with, `stacks` where it went on nevertheless.

    `armed` says that it may be interrupted, `told` that its report is written.
    """

    __test__ = False

    item: pytest.Item
    uses: set[Wanted]
    began: float = field(default_factory=time.time)
    armed: bool = False
    told: bool = False
    broken: str = ""
    stacks: str = ""


class Watch:
    """Listens to one environment, as long as this process has it, for the first loss."""

    def __init__(self, wanted: Wanted, handle: Handle, name: str, on_loss: Callable[[Watch], None]) -> None:
        self.wanted = wanted
        self.name = name
        self.loss: Loss | None = None
        self.since = ""
        self._handle = handle
        self._lent = time.time()
        self._on_loss = on_loss
        self._losses = Losses(name)
        self._ended = False
        self._leave: Callable[[], None] = lambda: None
        try:
            self._leave = handle.subscribe(self._hear)
        except EnvspecError as error:  # it ended in just this moment
            self._hear(SessionFailed(error=type(error).__name__, message=str(error)))

    def end(self) -> None:
        """Listen no more."""
        self._ended = True
        self._leave()

    def _hear(self, event: Event) -> None:
        loss = self._losses.take(event)
        if loss is None or self.loss is not None or self._ended:
            return
        if event.time and event.time < self._lent and not self._lasts(event):
            return
        self.loss = Loss(harmless(loss.what), loss.time or time.time())
        self._on_loss(self)

    def _lasts(self, event: Event) -> bool:
        """Whether what was lost before this process got the environment is missing still."""
        with suppress(EnvspecError):
            status = self._handle.status()
            replica = status.services.get(getattr(event, "replica", ""))
            return (replica or status).state not in ("healthy", "starting", "succeeded")
        return True

    def is_about_to_tell(self) -> bool:
        """Whether a process of it is dead of which nothing has been heard yet."""
        with suppress(EnvspecError):
            return self.loss is None and _has_dead(self._handle.status())
        return self.loss is None


def _has_dead(status: SessionStatus) -> bool:
    pids = [replica.pid for replica in status.services.values() if replica.pid is not None]
    return any(stat_fields(pid)[:1] in ([], ["Z"], ["X"]) for pid in pids)


class Watching:
    """Looks after the environments of this process and the test that runs in it."""

    def __init__(self, pool: EnvironmentPool) -> None:
        self._pool = pool
        self._watches: dict[Wanted, Watch] = {}
        self._test: Test | None = None
        self._last = ""
        self._debugging = False
        self._news = threading.Condition()
        self._interrupter = Interrupter()
        self._interrupter.install()
        pool.on_lend(self._lent)
        pool.on_return(self._returned)

    def _lent(self, wanted: Wanted, handle: Handle, environment: Environment) -> None:
        if self._test is not None:
            self._test.uses.add(wanted)
        watch = self._watches[wanted] = Watch(wanted, handle, environment.name, self._lost)
        if watch.loss is not None:
            self._lost(watch)

    def _returned(self, wanted: Wanted) -> None:
        if (watch := self._watches.pop(wanted, None)) is not None:
            watch.end()

    def _lost(self, watch: Watch) -> None:
        """Hear, in the thread of a watch, that its environment has lost something."""
        with self._news:
            test = self._test
            if self._watches.get(watch.wanted) is watch and test is not None and watch.wanted in test.uses:
                self._tell(test, watch)
            self._news.notify_all()

    def _tell(self, test: Test, watch: Watch) -> None:
        """Fail the test that runs, at once if it is where it may be failed."""
        if watch.loss is None or test.broken or test.told:
            return
        if not watch.since:
            watch.since = f"since {test.item.nodeid}"
        test.broken = watch.loss.during(test.item.name, test.began)
        if test.armed and not self._debugging:
            self._interrupter.interrupt(test.broken, lambda stacks: setattr(test, "stacks", stacks))

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Wrapper:
        """Let the setup of a test be interrupted, once those environments are put aside that broke before it."""
        self._settle()
        with self._news:
            self._test = Test(item, set(wanted_of(item, self._pool.naming)))
            self._last = item.nodeid
        return (yield from self._interruptible())

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self) -> Wrapper:
        """Let a test be interrupted."""
        return (yield from self._interruptible())

    def _interruptible(self) -> Wrapper:
        test = self._test
        if test is None or not test.uses:
            return (yield)
        with self._news:
            test.armed = True
            self._interrupter.arm()
            for watch in [watch for watch in self._watches.values() if watch.wanted in test.uses]:
                self._tell(test, watch)
        try:
            return (yield)
        finally:
            self._interrupter.disarm()
            with self._news:
                test.armed = False

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Wrapper:
        """Put aside what has broken before it is given back."""
        try:
            return (yield)
        finally:
            with self._news:
                test, self._test = self._test, None
            if test is not None and test.broken:
                _forget_interrupted(item)
            self._settle()

    def _settle(self) -> None:
        for watch in [watch for watch in self._watches.values() if watch.loss is not None]:
            self._returned(watch.wanted)
            since = watch.since or (f"after {self._last}" if self._last else "before the first test")
            what = watch.loss.what if watch.loss is not None else ""
            self._pool.break_(watch.wanted, f"environment {watch.name} is broken {since}: {what}")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """See that a test whose environment broke is failed, and says so first."""
        report = yield
        test = self._test
        if test is None or call.when == "teardown":
            return report
        if call.excinfo is not None and report.outcome == "failed":
            self._await_news(test)
        with self._news:
            broken, test.told = test.broken and not test.told, test.told or call.when == "call" or report.failed
        if broken:
            _blame(report, test)
        return report

    def _await_news(self, test: Test) -> None:
        """Give a death that made the test fail a moment to become known."""
        watches = [watch for watch in self._watches.values() if watch.wanted in test.uses]
        if test.broken or not any(watch.is_about_to_tell() for watch in watches):
            return
        with self._news:
            self._news.wait_for(lambda: test.broken, PATIENCE)

    def pytest_enter_pdb(self) -> None:
        """Leave a person alone who looks around in a test."""
        self._debugging = True

    def pytest_leave_pdb(self) -> None:
        """Nobody looks any more."""
        self._debugging = False

    def pytest_unconfigure(self) -> None:
        """Give the signal back."""
        self._interrupter.restore()


def _blame(report: pytest.TestReport, test: Test) -> None:
    """Let a report say what broke the environment, whatever the test made of it."""
    longrepr: Any = report.longrepr
    if report.outcome != "failed":
        report.outcome = "failed"
        report.longrepr = test.broken
        if hasattr(report, "wasxfail"):
            del report.wasxfail
    elif test.broken not in report.longreprtext:
        report.sections.insert(0, ("envspec: what broke", test.broken))
        if (crash := getattr(longrepr, "reprcrash", None)) is not None:
            crash.message = f"{test.broken}; then {crash.message}"
    if test.stacks:
        report.sections.append(("envspec: where the test was when it should have ended", test.stacks))


def _forget_interrupted(item: pytest.Item) -> None:
    """Let fixtures be set up anew whose setup was interrupted: pytest keeps a failure for as long as a value."""
    request: Any = getattr(item, "_request", None)  # an item of another plugin may have none
    for fixtures in tuple(getattr(request, "_arg2fixturedefs", {}).values()):
        for fixture in fixtures:
            cached = fixture.cached_result
            if cached is not None and cached[2] is not None and isinstance(cached[2][0], EnvironmentBroken):
                fixture.finish(request)
