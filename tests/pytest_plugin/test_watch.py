"""A watch that knows when it does not know everything yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from envspec.plan import events as e
from envspec.plan.events import Event
from envspec.pytest_plugin.wanted import Wanted
from envspec.pytest_plugin.watch import Watch
from envspec.session.live import Handle
from envspec.session.status import ReplicaStatus, SessionStatus, apply


class SlowHandle:
    """A stand-in for a session whose state is asked on one line, and whose events come on another, later."""

    def __init__(self) -> None:
        self._status = SessionStatus("x", "x", services={"web": ReplicaStatus("web", "web", state="healthy")})
        self._pending: list[Event] = []
        self._callback: Callable[[Event], None] = self._pending.append

    def status(self) -> SessionStatus:
        return self._status

    def subscribe(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        self._callback = callback
        return lambda: None

    def happens(self, event: Event) -> None:
        self._status = apply(self._status, event)
        self._pending.append(event)

    def arrives(self) -> None:
        self._callback(self._pending.pop(0))


def death(*, expected: bool) -> Event:
    return e.ReplicaExited(replica="web", pid=1, exit_code=None, signal="SIGKILL", expected=expected)


def watching(handle: SlowHandle) -> tuple[Watch, list[Any]]:
    lost: list[Any] = []
    return Watch(Wanted("x"), cast("Handle", handle), "x", lost.append), lost


def test_a_death_that_the_session_knows_is_about_to_be_told_until_it_is_heard() -> None:
    handle = SlowHandle()
    watch, lost = watching(handle)
    assert not watch.is_about_to_tell()

    handle.happens(death(expected=False))
    assert handle.status().services["web"].state == "exited"
    assert watch.is_about_to_tell()

    handle.arrives()
    assert lost == [watch]
    assert not watch.is_about_to_tell()


def test_what_is_no_loss_is_waited_for_no_longer_than_until_it_is_heard() -> None:
    handle = SlowHandle()
    watch, lost = watching(handle)

    handle.happens(death(expected=True))
    assert watch.is_about_to_tell()

    handle.arrives()
    assert not lost
    assert not watch.is_about_to_tell()
