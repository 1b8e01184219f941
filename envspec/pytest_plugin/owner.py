"""Owns the environments of a run: starts each when its turn comes, and stops it when nobody needs it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress

from envspec.errors import BackendError, EnvspecError, StoppedError
from envspec.plan.events import Event
from envspec.pytest_plugin.entry import Entry
from envspec.pytest_plugin.session_record import SessionRecord
from envspec.pytest_plugin.start import Start, Started
from envspec.pytest_plugin.text import one_line
from envspec.pytest_plugin.turns import Turns
from envspec.pytest_plugin.wanted import Groups, Wanted
from envspec.report.stopping import told_while_stopping
from envspec.session.live import Handle
from envspec.session.status import SessionStatus

Say = Callable[[str], None]
LOOK = 0.5
"""Seconds between looks whether a run was given up, while somebody waits for a turn that then never comes."""


class Owner:
    """Starts environments in threads of their own, the next ones ahead. One that failed is tried once.

    An environment is stopped when all its tests are finished and nobody holds it. One that was begun before the tests
    were known, and that none of them wants, is withdrawn: it never stays up, and nothing is told of it. `given_up`
    tells that tests which were expected will not run, so that nobody waits for them.
    """

    def __init__(self, start: Start, turns: Turns, given_up: Callable[[], bool] = lambda: False) -> None:
        self._start = start
        self._turns = turns
        self._given_up = given_up
        self._changed = threading.Condition()
        self._entries: dict[Wanted, Entry] = {}
        self._broken: list[Entry] = []
        self._leaving: list[Entry] = []
        self._unasked: set[Wanted] = set()
        self._renewed: set[Wanted] = set()
        self._listeners: list[Callable[[Wanted, Event], None]] = []
        self._when_up: list[Callable[[Wanted, SessionStatus], None]] = []
        self._closed = False
        self.sessions: list[SessionRecord] = []
        self.failed: dict[Wanted, EnvspecError] = {}
        self.lines: list[str] = []
        self.interrupted = False

    def on_event(self, callback: Callable[[Wanted, Event], None]) -> None:
        """Call `callback` with all that happens to environments from now on, in the threads of their sessions."""
        self._listeners.append(callback)

    def on_up(self, callback: Callable[[Wanted, SessionStatus], None]) -> None:
        """Call `callback` when an environment is healthy, in the thread that started it."""
        self._when_up.append(callback)

    def expect(self, groups: Groups) -> None:
        """Hear which tests will run."""
        with self._changed:
            self._turns.expect(groups)
            self._unasked.difference_update(*groups.values())
            self._changed.notify_all()

    def begin(self, wanted: Iterable[Wanted] = ()) -> None:
        """Start ahead what the next tests want, or these, and let go what none wants."""
        with self._changed:
            for one in list(wanted)[: self._turns.most]:
                self._entry(one)
                self._unasked.add(one)
            self._advance()

    def finished(self, test: str) -> None:
        """Hear that a test is over."""
        with self._changed:
            if self._turns.finished(test):
                self._advance()

    def is_settled(self, wanted: Wanted) -> bool:
        """Tell whether an environment is there already, or has failed."""
        entry = self._entries.get(wanted)
        return entry is not None and entry.is_settled

    def lend(self, wanted: Wanted, *, at_once: bool = False, who: str = "") -> Handle:
        """Return a healthy environment, which stays up until `who` gives it back.

        Raises:
            EnvspecError: it did not start, now or when it was first tried.
        """
        with self._changed:
            while not (at_once or self._closed or self._may_start(wanted)):
                self._changed.wait(LOOK)
            if self._closed:
                raise _over(wanted)
            entry = self._entry(wanted)
            self._unasked.discard(wanted)
            entry.users.add(who)
            try:
                self._changed.wait_for(lambda: self._closed or entry.is_settled)
            except BaseException:  # a timeout of pytest's, or Ctrl-C
                entry.users.discard(who)
                raise
            if entry.started is None:
                entry.users.discard(who)
                raise entry.failure or _over(wanted)
            return entry.started.handle

    def attached(self, wanted: Wanted) -> float | None:
        """Return the seconds that it took to get one which was up before the run; None where the run has started it."""
        entry = self._entries.get(wanted)
        return entry.attached if entry is not None else None

    def waited_for(self, wanted: Wanted) -> str:
        """Return what the start of one waits for; empty where it waits for its turn, or is over."""
        entry = self._entries.get(wanted)
        return entry.waited_for() if entry is not None and not entry.is_settled else ""

    def give_back(self, wanted: Wanted, *, who: str = "") -> None:
        """Hear that `who` does not use it now."""
        self._release(who, lambda entry: entry.wanted == wanted)

    def forget(self, who: str) -> None:
        """Take back all that somebody had who is gone."""
        self._release(who, lambda _: True)

    def _release(self, who: str, these: Callable[[Entry], bool]) -> None:
        with self._changed:
            for entry in filter(these, (*self._entries.values(), *self._broken)):
                entry.users.discard(who)
            self._advance()

    def renew(self, wanted: Wanted, session: str) -> None:
        """Hear that the session of this id is broken: who asks next gets a fresh one."""
        with self._changed:
            entry = self._entries.get(wanted)
        if entry is None or entry.session != session:
            return  # somebody else has said so
        if entry.started is not None:
            entry.started.return_broken()  # first, or the next one would find it lent to ourselves
        with self._changed:
            if self._entries.get(wanted) is not entry:
                return
            del self._entries[wanted]
            self._renewed.add(wanted)
            if entry.started is None or entry.started.loan is None:
                self._broken.append(entry)
            self._advance()

    def refuse(self) -> None:
        """Let nobody have anything any more: who waits hears that the run is over."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def close(self, say: Say) -> None:
        """Stop all that is up, the last one first; one that will not stop does not spare the others.

        Ctrl-C meanwhile means that it should be quick: what is left is ended by force.
        """
        self.refuse()
        with self._changed:
            for wanted in tuple(self._unasked):
                self._withdraw(self._entries[wanted])
            entries = [*self._leaving, *self._broken, *self._entries.values()]
        kept: list[str] = []
        with ExitStack() as ends:  # the last one first, and all of them, whatever is raised
            for entry in entries:
                ends.callback(self._end, entry, say, kept)
        self.lines += kept

    def _end(self, entry: Entry, say: Say, kept: list[str]) -> None:
        """Take one down, or leave it up that is kept, which `kept` then says."""
        if not entry.withdrawn and entry.started is not None and entry.started.kept:
            kept += [f"envspec: {entry.wanted} {line}" for line in (entry.started.leave(),) if line]
            return
        try:
            self._stop(entry, say)
        except KeyboardInterrupt as interrupt:
            self.interrupted = True
            self.lines.append(f"envspec: {interrupt}")

    def _stop(self, entry: Entry, say: Say) -> None:
        """Take one down, also one that is just starting."""
        if entry.withdrawn:
            entry.take_back()
            return
        if (handle := entry.handle) is None:
            return
        try:
            with told_while_stopping(handle.status, say):
                handle.stop("the tests are done", force=self.interrupted)
        except EnvspecError as error:
            self.lines.append(f"envspec: {entry.wanted}: {one_line(error)}")

    def _entry(self, wanted: Wanted) -> Entry:
        """Return what there is of an environment; where there is nothing, begin it. Call it with the lock."""
        if wanted not in self._entries:
            self._entries[wanted] = entry = Entry(wanted)
            threading.Thread(target=self._bring_up, args=(entry,), name=f"envspec start {wanted}", daemon=True).start()
        return self._entries[wanted]

    def _bring_up(self, entry: Entry) -> None:
        def heard(event: Event) -> None:
            entry.hear(event)
            for listener in tuple(self._listeners):
                listener(entry.wanted, event)

        def exists(handle: Handle) -> None:
            with self._changed:
                if self._closed or entry.withdrawn:
                    raise _over(entry.wanted)
                entry.handle = handle

        failure: EnvspecError = BackendError(f"starting {entry.wanted} broke off; the thread's traceback says why")
        started = None
        try:
            started = self._start(entry.wanted, heard, exists)
            entry.attached = started.attached
            if not entry.withdrawn:
                self._is_up(entry, started.handle, started.status())
        except EnvspecError as error:
            failure = error
            self._remember(entry)
        finally:
            self._settle(entry, started, failure)

    def _is_up(self, entry: Entry, handle: Handle, status: SessionStatus) -> None:
        entry.session = status.id
        record = SessionRecord.of(handle)
        self.sessions.append(record if entry.attached is None else record._replace(seconds=None))
        for callback in tuple(self._when_up):
            callback(entry.wanted, status)

    def _remember(self, entry: Entry) -> None:
        """Keep what there is of a session that failed to start: its logs say more than the error."""
        with suppress(EnvspecError):  # it never came to be
            if entry.handle is not None and not entry.session and entry.handle.status().id:
                self.sessions.append(SessionRecord.of(entry.handle))

    def _settle(self, entry: Entry, started: Started | None, failure: EnvspecError) -> None:
        """Let those know who wait for an environment."""
        with self._changed:
            if started is not None:
                entry.handle, entry.started = started.handle, started
            else:
                entry.failure = failure
                if not (self._closed or entry.withdrawn):
                    self.failed[entry.wanted] = failure
            self._advance()
            late = started is not None and (entry.withdrawn or (self._closed and not started.kept))
        if late:  # close(), or who withdrew it, was there before it was up
            self._stop(entry, lambda _: None)

    def _may_start(self, wanted: Wanted) -> bool:
        leaving = [entry.wanted for entry in self._leaving]
        return wanted in self._entries or self._turns.is_there_for(wanted, leaving) or self._given_up()

    def _advance(self) -> None:
        """Stop what nobody needs any more, and start what comes next. Call it with the lock."""
        if not self._closed:
            for wanted in [one for one in self._unasked if self._turns.is_over_for(one)]:
                self._withdraw(self._entries[wanted])
                self._let_go(self._entries[wanted])
            for entry in [*self._broken, *self._entries.values()]:
                done = entry in self._broken or self._turns.is_over_for(entry.wanted)
                if done and not entry.users and entry.started is not None and not entry.started.kept:
                    self._let_go(entry)
            for wanted in self._turns.next([entry.wanted for entry in self._leaving]):
                if wanted not in self._renewed:  # the test that broke it may have been the last one: somebody asks
                    self._entry(wanted)
        self._changed.notify_all()

    def _withdraw(self, entry: Entry) -> None:
        """Let nothing be told any more of one that nobody wants. Call it with the lock."""
        self._unasked.discard(entry.wanted)
        self.failed.pop(entry.wanted, None)
        entry.withdrawn = True

    def _let_go(self, entry: Entry) -> None:
        """Stop one in a thread of its own: the next test does not wait for that."""
        if entry in self._broken:
            self._broken.remove(entry)
        else:
            del self._entries[entry.wanted]
        self._leaving.append(entry)

        def leave() -> None:
            self._stop(entry, lambda _: None)
            with self._changed:
                self._leaving.remove(entry)
                self._advance()

        threading.Thread(target=leave, name=f"envspec stop {entry.wanted}", daemon=True).start()


def _over(wanted: Wanted) -> EnvspecError:
    return StoppedError(f"the run is over: {wanted} is not lent any more")
