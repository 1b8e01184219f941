"""Owns the environments of a run: starts each when its turn comes, and stops it when nobody needs it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from envspec.errors import BackendError, EnvspecError, StoppedError
from envspec.plan.events import Event
from envspec.pytest_plugin.order import is_grouped, may_be_up
from envspec.pytest_plugin.start import Started
from envspec.pytest_plugin.text import one_line
from envspec.pytest_plugin.wanted import Groups, Wanted
from envspec.report.stopping import told_while_stopping
from envspec.session.live import Handle

OnEvent = Callable[[Event], None]
OnHandle = Callable[[Handle], None]
Start = Callable[[Wanted, OnEvent, OnHandle], Started]
"""Brings one environment up. Tells what happens, and, before anything does, the handle by which it can be stopped."""
Say = Callable[[str], None]


class Ran(NamedTuple):
    """A session that was healthy in this run. `seconds` is what its start took, None where it was up before."""

    id: str
    directory: Path
    environment: str
    seconds: float | None


@dataclass(eq=False)
class _Entry:
    """An environment from its start to its end, and who has it."""

    wanted: Wanted
    started: Future[Started] = field(default_factory=Future)
    handle: Handle | None = None
    users: set[str] = field(default_factory=set)
    broken: bool = False


class Owner:
    """Starts environments in threads of their own, the next ones ahead, and at most `most` at a time.

    An environment is stopped when all its tests are finished and nobody holds it. One that failed is tried once.
    """

    def __init__(self, start: Start, most: int | None) -> None:
        self._start = start
        self._most = most
        self._changed = threading.Condition()
        self._entries: dict[Wanted, _Entry] = {}
        self._leaving: list[_Entry] = []
        self._tests: dict[str, tuple[Wanted, ...]] = {}
        self._left: dict[tuple[Wanted, ...], int] = {}
        self._known: set[Wanted] = set()
        self._listeners: list[Callable[[Wanted, Event], None]] = []
        self._closed = False
        self.sessions: list[Ran] = []
        self.failed: dict[Wanted, EnvspecError] = {}
        self.lines: list[str] = []
        self.interrupted = False

    def on_event(self, callback: Callable[[Wanted, Event], None]) -> None:
        """Call `callback` with all that happens to environments from now on, in the threads of their sessions."""
        self._listeners.append(callback)

    def expect(self, groups: Groups) -> None:
        """Hear which tests will run. Where they are not grouped, any number may be up at once."""
        with self._changed:
            if not is_grouped(groups):
                self._most = None
            for test, wanted in groups.items():
                if wanted and test not in self._tests:
                    self._tests[test] = wanted
                    self._left[wanted] = self._left.get(wanted, 0) + 1
                    self._known.update(wanted)

    def begin(self, wanted: Iterable[Wanted] | None = None) -> None:
        """Start these ahead, as many as may be up; without them, what the next tests want."""
        with self._changed:
            if wanted is None:
                self._advance()
            else:
                for one in list(wanted)[: self._most]:
                    self._entry(one)

    def finished(self, test: str) -> None:
        """Hear that a test is over."""
        with self._changed:
            wanted = self._tests.pop(test, ())
            if wanted:
                self._left[wanted] -= 1
                if not self._left[wanted]:
                    del self._left[wanted]
                    self._advance()

    def is_up(self, wanted: Wanted) -> bool:
        """Tell whether an environment is there already, or has failed."""
        entry = self._entries.get(wanted)
        return entry is not None and entry.started.done()

    def lend(self, wanted: Wanted, *, at_once: bool = False, who: str = "") -> Handle:
        """Return a healthy environment, which stays up until `who` gives it back.

        Raises:
            EnvspecError: it did not start, now or when it was first tried.
        """
        with self._changed:
            self._changed.wait_for(lambda: at_once or self._closed or self._may_start(wanted))
            if self._closed:
                raise StoppedError(f"{wanted} is wanted when the run is over")
            entry = self._entry(wanted)
            entry.users.add(who)
        try:
            return entry.started.result().handle
        except BaseException:
            with self._changed:
                entry.users.discard(who)
            raise

    def give_back(self, wanted: Wanted, *, who: str = "") -> None:
        """Hear that `who` does not use it now."""
        with self._changed:
            for entry in (*self._entries.values(), *self._leaving):
                if entry.wanted == wanted:
                    entry.users.discard(who)
            self._advance()

    def forget(self, who: str) -> None:
        """Take back all that somebody had who is gone."""
        with self._changed:
            for entry in (*self._entries.values(), *self._leaving):
                entry.users.discard(who)
            self._advance()

    def renew(self, wanted: Wanted, session: str) -> None:
        """Hear that the session of this id is broken: who asks next gets a fresh one."""
        with self._changed:
            entry = self._entries.get(wanted)
            if entry is None or entry.handle is None or entry.handle.status().id != session:
                return  # somebody else has said so
            entry.broken = True
            del self._entries[wanted]
            self._leaving.append(entry)
            self._advance()

    def close(self, say: Say) -> None:
        """Stop all that is up, the last one first; one that will not stop does not spare the others.

        Ctrl-C meanwhile means that it should be quick: what is left is ended by force.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            entries = [*self._leaving, *self._entries.values()]
        kept = []
        for entry in reversed(entries):
            started = _result(entry)
            if started is not None and started.kept:
                kept.append(f"envspec: {entry.wanted} is still up: envspec down {started.environment.id}")
                continue
            try:
                self._stop(entry, say)
            except KeyboardInterrupt as interrupt:
                self.interrupted = True
                self.lines.append(f"envspec: {interrupt}")
        self.lines += kept

    def _stop(self, entry: _Entry, say: Say | None = None) -> None:
        """Take one down, also one that is just starting."""
        if entry.handle is None:
            return
        try:
            if say is None:
                entry.handle.stop("its tests are done")
            else:
                with told_while_stopping(entry.handle.status, say):
                    entry.handle.stop("the tests are done", force=self.interrupted)
        except EnvspecError as error:
            self.lines.append(f"envspec: {entry.wanted}: {one_line(error)}")

    def _entry(self, wanted: Wanted) -> _Entry:
        """Return what there is of an environment; where there is nothing, begin it. Call it with the lock."""
        if wanted not in self._entries:
            self._entries[wanted] = entry = _Entry(wanted)
            threading.Thread(target=self._bring_up, args=(entry,), name=f"envspec start {wanted}", daemon=True).start()
        return self._entries[wanted]

    def _bring_up(self, entry: _Entry) -> None:
        def heard(event: Event) -> None:
            for listener in tuple(self._listeners):
                listener(entry.wanted, event)

        def exists(handle: Handle) -> None:
            with self._changed:
                if self._closed:
                    raise StoppedError("the run is over")
                entry.handle = handle

        failure: EnvspecError = BackendError(f"starting {entry.wanted} broke off; the thread's traceback says why")
        try:
            started = self._start(entry.wanted, heard, exists)
            entry.handle = started.handle
            status = started.status()
            self.sessions.append(Ran(status.id, Path(status.dir), status.environment, status.seconds))
            entry.started.set_result(started)
        except EnvspecError as error:
            failure = error
        finally:
            if not entry.started.done():
                self.failed[entry.wanted] = failure
                entry.started.set_exception(failure)
            with self._changed:
                self._advance()

    def _may_start(self, wanted: Wanted) -> bool:
        if self._most is None or wanted in self._entries or wanted not in self._wanted_still():
            return True
        return wanted in may_be_up(self._left, self._most)

    def _wanted_still(self) -> set[Wanted]:
        return {one for group in self._left for one in group}

    def _advance(self) -> None:
        """Stop what nobody needs any more, and start what comes next. Call it with the lock."""
        if self._closed:
            return
        still = self._wanted_still()
        for entry in list(self._entries.values()):
            if entry.wanted in self._known - still and not entry.users:
                self._let_go(entry)
        for entry in [entry for entry in self._leaving if not entry.users and entry.broken]:
            self._leaving.remove(entry)
            self._let_go(entry)
        for wanted in may_be_up(self._left, self._most) if self._most is not None else still:
            self._entry(wanted)
        self._changed.notify_all()

    def _let_go(self, entry: _Entry) -> None:
        """Stop one in a thread of its own: the next test does not wait for that."""
        started = _result(entry)
        if started is None or started.kept:
            return
        self._entries.pop(entry.wanted, None) if self._entries.get(entry.wanted) is entry else None
        self._leaving.append(entry)
        entry.broken = False
        threading.Thread(target=self._stop, args=(entry,), name=f"envspec stop {entry.wanted}", daemon=True).start()


def _result(entry: _Entry) -> Started | None:
    """Return an environment that is up, None for one that failed or is not there yet."""
    ready = entry.started.done() and entry.started.exception() is None
    return entry.started.result() if ready else None
