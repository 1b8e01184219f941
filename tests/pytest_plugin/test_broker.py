"""The line between workers and the owner of environments: what is held, given back and refused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from envspec.errors import RequirementError, StoppedError
from envspec.plan.events import Event
from envspec.pytest_plugin.borrower import Borrower
from envspec.pytest_plugin.broker import Broker
from envspec.pytest_plugin.meeting import BROKER, word_of
from envspec.pytest_plugin.owner import Owner
from envspec.pytest_plugin.start import OnEvent, OnHandle, Started
from envspec.pytest_plugin.turns import Turns
from envspec.pytest_plugin.wanted import Wanted
from envspec.session.live import Environment, Handle
from envspec.session.status import SessionStatus

A, B = Wanted("a"), Wanted("b", "test_it.py")
PATIENCE = 30.0


class Session:
    """A session that starts and stops at once, and says so."""

    def __init__(self, number: int, stopped: Callable[[str], None]) -> None:
        self._id = f"session-{number}"
        self._stopped = stopped

    def status(self) -> SessionStatus:
        return SessionStatus(self._id, "a", "healthy", dir=f"/nowhere/{self._id}")

    def subscribe(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        raise NotImplementedError

    def secrets(self) -> tuple[str, ...]:
        return ()

    def stop(self, reason: str, *, force: bool = False) -> None:
        assert (reason, force) == ("the tests are done", False)
        self._stopped(self._id)


class House:
    """An owner, its broker, and the workers that ask."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._changed = threading.Condition()
        self._workers: list[Borrower] = []
        self.started: list[Wanted] = []
        self.stopped: list[str] = []
        self.lacks = ""
        self.unstoppable = ""
        self.given_up = False
        self.owner = Owner(self._start, Turns(1), lambda: self.given_up)
        self.broker = Broker(self.owner, folder / BROKER)

    def _start(self, wanted: Wanted, _on_event: OnEvent, on_handle: OnHandle) -> Started:
        if self.lacks:
            raise RequirementError("something is not here", missing=[self.lacks], hint="get it")
        self.started.append(wanted)
        handle = cast("Handle", Session(len(self.started), self._has_stopped))
        on_handle(handle)
        return Started(Environment(handle), handle, kept=False)

    def _has_stopped(self, session: str) -> None:
        if session == self.unstoppable:
            raise RuntimeError(f"{session} says no")
        with self._changed:
            self.stopped.append(session)
            self._changed.notify_all()

    def until_stopped(self, *sessions: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.stopped == list(sessions), PATIENCE), self.stopped

    def worker(self, name: str = "gw0") -> Borrower:
        self._workers.append(Borrower(self._folder, name))
        return self._workers[-1]

    def close(self) -> None:
        for worker in self._workers:
            worker.close()
        self.owner.refuse()
        self.broker.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


def lent(borrower: Borrower, wanted: Wanted) -> str:
    handle = borrower.lend(wanted)
    return handle.directory.name


def test_workers_are_lent_the_same_session(house: House) -> None:
    house.owner.expect({"1": (A,), "2": (B,)})

    assert lent(house.worker(), A) == lent(house.worker("gw1"), A) == "session-1"
    assert house.started == [A]


def test_one_goes_when_its_tests_are_over_and_its_last_user_has_given_it_back(house: House) -> None:
    house.owner.expect({"1": (A,)})
    one, two = house.worker(), house.worker("gw1")
    lent(one, A)
    lent(two, A)

    house.owner.finished("1")
    one.give_back(A)
    assert house.stopped == []
    two.give_back(A)

    house.until_stopped("session-1")


def test_what_a_worker_held_that_died_is_given_back(house: House) -> None:
    house.owner.expect({"1": (A,)})
    worker = house.worker()
    lent(worker, A)
    house.owner.finished("1")

    worker.close()  # as the kernel does for one that dies

    house.until_stopped("session-1")


def test_one_that_will_not_stop_spares_no_other(house: House) -> None:
    for wanted in (A, B):
        house.owner.lend(wanted, at_once=True)
    house.unstoppable = "session-2"

    with pytest.raises(RuntimeError, match="session-2 says no"):
        house.owner.close(lambda _: None)

    assert house.stopped == ["session-1"]


def test_a_broken_one_is_lent_to_nobody_again(house: House) -> None:
    house.owner.expect({"1": (A,)})
    one, two = house.worker(), house.worker("gw1")
    assert lent(one, A) == lent(two, A) == "session-1"

    one.give_back(A)
    one.renew(A, "session-1")
    assert lent(one, A) == "session-2"
    two.give_back(A)
    two.renew(A, "session-1")  # it has noticed, too, and somebody has said so

    house.until_stopped("session-1")
    assert lent(two, A) == "session-2"


def test_a_broken_one_is_started_anew_only_for_somebody_who_asks(house: House) -> None:
    house.owner.expect({"1": (A,)})
    worker = house.worker()
    lent(worker, A)

    worker.give_back(A)
    worker.renew(A, "session-1")  # from within the test that broke it
    house.until_stopped("session-1")
    house.owner.finished("1")

    assert house.started == [A]


def test_who_waits_for_a_turn_has_it_when_the_tests_before_are_over(house: House) -> None:
    house.owner.expect({"1": (A,), "2": (B,)})
    worker = house.worker()
    lent(worker, A)
    got: list[str] = []
    waiting = threading.Thread(target=lambda: got.append(lent(house.worker("gw1"), B)))
    waiting.start()

    assert house.started == [A]
    house.owner.finished("1")

    waiting.join(PATIENCE)
    assert got == ["session-2"]


def test_who_waits_for_a_turn_in_a_run_that_was_given_up_has_it_at_once(house: House) -> None:
    house.owner.expect({"1": (A,), "2": (B,)})
    house.given_up = True

    assert lent(house.worker(), B) == "session-1"


def test_a_test_that_was_not_known_to_want_one_does_not_wait(house: House) -> None:
    house.owner.expect({"1": (A,), "2": (B,)})

    assert house.worker().lend(B, at_once=True).directory.name == "session-1"


def test_when_the_run_is_over_whoever_waits_hears_so(house: House) -> None:
    house.owner.expect({"1": (A,), "2": (B,)})
    failed: list[Exception] = []

    def ask() -> None:
        try:
            house.worker().lend(B)
        except StoppedError as error:
            failed.append(error)

    waiting = threading.Thread(target=ask)
    waiting.start()
    house.owner.refuse()

    waiting.join(PATIENCE)
    assert [str(error) for error in failed] == ["the run is over: b of test_it.py is not lent any more"]


class Interrupted(BaseException):
    """As Ctrl-C, or a timeout of a test."""


def test_who_is_interrupted_while_he_waits_hears_no_old_answer_and_holds_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.owner.expect({"1": (A,), "2": (B,)})
    worker = house.worker()
    lent(worker, A)

    def interrupted(*_: object) -> None:
        raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(worker, "_answer", interrupted)
        with pytest.raises(Interrupted):
            worker.lend(B)  # it is not B's turn
    house.owner.finished("1")
    house.owner.expect({"3": (A,)})

    assert lent(worker, A) == "session-1"
    house.owner.finished("2")
    house.until_stopped("session-2")


def test_a_requirement_crosses_the_line_with_all_that_is_missing(house: House) -> None:
    house.lacks = "the command zap is not on PATH"

    with pytest.raises(RequirementError) as caught:
        house.worker().lend(A)

    assert caught.value.missing == ("the command zap is not on PATH",)
    assert caught.value.hint == "get it"


def test_a_worker_leaves_word_of_its_tests(tmp_path: Path) -> None:
    groups = {"test_a": (), "test_b": (A,), "test_c": (A, B)}
    place = tmp_path / "meeting"

    Borrower(place, "gw0").expect(groups)

    assert word_of(str(place), "gw0") == groups
    assert list(word_of(str(place), "gw0")) == list(groups)
    assert word_of(str(place), "gw1") == {}
