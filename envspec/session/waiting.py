"""Waiting, from a test, until a service is as the test wants it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from envspec.errors import ServiceWaitError
from envspec.session.status import ReplicaStatus
from envspec.units import format_seconds

if TYPE_CHECKING:
    from envspec.session.live import Handle

Found = TypeVar("Found")

LOOK_AGAIN = 1.0
"""Seconds between looks where no event comes: of a session that ended meanwhile, none does."""
GOOD = ("healthy", "succeeded")
OVER = ("stopping", "stopped", "failed")
"""The states of a session in which nothing becomes healthy any more."""


def wait_healthy(handle: Handle, name: str, replicas: Callable[[], list[ReplicaStatus]], timeout: float) -> None:
    """Return when all replicas are healthy, tasks done, and none is paused.

    Raises:
        ServiceWaitError: that took longer than `timeout` seconds, or the session is over, of which nothing more comes;
            says the states and the last answers.
    """
    __tracebackhide__ = True
    well = _until(handle, lambda: True if not _unwell(replicas()) else False if _is_over(handle) else None, timeout)
    if not well:
        states = "; ".join(map(_state, _unwell(replicas())))
        why = f" within {format_seconds(timeout)}" if well is None else ", for its session is over"
        raise _late(name, f"{name} did not become healthy{why}: {states}", replicas())


def wait_exited(handle: Handle, replica: Callable[[], ReplicaStatus], timeout: float) -> int | str:
    """Return the exit code, or the signal's name, of the process that runs now, or that the last kill was sent to.

    Raises:
        ServiceWaitError: it still ran after `timeout` seconds; says its state and the last answer.
    """
    __tracebackhide__ = True
    over = _until(handle, lambda: _over(replica()), timeout)
    if over is None:
        now = replica()
        message = f"{now.name} did not exit within {format_seconds(timeout)}: {_state(now)}"
        raise _late(now.name, message, [now])
    return over.ended or 0


def _over(replica: ReplicaStatus) -> ReplicaStatus | None:
    """Return a replica whose process has ended, None while it has not; one that was killed has, whoever runs now."""
    if replica.ended_at is None:
        return None
    was_killed = replica.killed_at is not None and replica.killed_at <= replica.ended_at
    return replica if replica.pid is None or was_killed else None


def _until(handle: Handle, look: Callable[[], Found | None], timeout: float) -> Found | None:
    """Return what `look` finds as soon as it finds something, looking after every event; None after `timeout`."""
    news = threading.Event()
    deadline = time.monotonic() + timeout
    leave = handle.subscribe(lambda _event: news.set())
    try:
        while (found := look()) is None and (left := deadline - time.monotonic()) > 0:
            news.wait(min(left, LOOK_AGAIN))
            news.clear()
        return found
    finally:
        leave()


def _is_over(handle: Handle) -> bool:
    return handle.status().state in OVER


def _unwell(replicas: Iterable[ReplicaStatus]) -> list[ReplicaStatus]:
    return [replica for replica in replicas if replica.state not in GOOD or replica.paused]


def _state(replica: ReplicaStatus) -> str:
    """Say how a replica is, and what its validators said last."""
    paused = " and paused" if replica.paused else ""
    ended = replica.signal or (f"exit code {replica.exit_code}" if replica.exit_code is not None else "")
    check, answer = replica.refusal
    told = f"{check} says: {answer}" if answer else ended or replica.message
    return f"{replica.name} is {replica.state}{paused}{f' ({told})' if told else ''}"


def _late(name: str, message: str, replicas: Iterable[ReplicaStatus]) -> ServiceWaitError:
    states = {replica.name: replica.state for replica in replicas}
    hint = f"envspec logs {name} shows what it wrote"
    return ServiceWaitError(message, service=name, hint=hint, details={"states": states})
