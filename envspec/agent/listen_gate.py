"""Seeing a service's port open within milliseconds, and making sure that it was that service."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from envspec.agent.family import Family
from envspec.agent.listeners import Listener, ListenTable
from envspec.agent.loop import Loop
from envspec.plan.plan import CONNECTABLE

FASTEST, SLOWEST, SHARE, YOUNG = 0.001, 0.010, 1 / 150, 0.3
"""Seconds between two looks: the fewest while a service is YOUNG, then a share of the time that the youngest has had.
A look takes 0.1 ms of the CPU that the services need for their start; one of a second is seen 3 ms late on average."""
LOOK_AGAIN = 1.0
"""Seconds after which a listener that was found foreign is examined again: it may have been handed over."""


@dataclass(eq=False)
class Awaited:
    """A port that somebody waits for. `replica` is whose processes must open it, empty where that is not checked.

    `note` says why what listens there does not count, empty while nothing does.
    """

    owner: str
    number: int
    host: str
    replica: str
    on_listen: Callable[[], None]
    on_foreign: Callable[[str], None]
    since: float
    note: str = ""
    rejected: tuple[Listener, ...] = ()
    rejected_at: float = 0.0


class ListenGate:
    """Looks at all LISTEN sockets at once, for everybody who waits, and only while somebody does."""

    def __init__(self, loop: Loop, family: Family) -> None:
        self._loop = loop
        self._family = family
        self._table = ListenTable()
        self._awaited: dict[int, list[Awaited]] = {}
        self._ticking = False

    def wait(self, awaited: Awaited) -> None:
        """Call `on_listen` once its port listens on its host."""
        self._awaited.setdefault(awaited.number, []).append(awaited)
        if not self._ticking:
            self._ticking = True
            self._loop.after(0.0, self._tick)

    def forget(self, owner: str) -> None:
        """Drop everything that `owner` waits for."""
        for number in list(self._awaited):
            rest = [awaited for awaited in self._awaited[number] if awaited.owner != owner]
            if rest:
                self._awaited[number] = rest
            else:
                del self._awaited[number]

    def _tick(self) -> None:
        self._ticking = bool(self._awaited)
        if not self._ticking:
            return
        listening = self._table.dump()
        now = time.monotonic()
        # The set operation spares us the ports in between: a busy host has thousands.
        for number in self._awaited.keys() & listening.keys():
            for awaited in tuple(self._awaited.get(number, ())):
                if self._accepts(awaited, listening[number], now):
                    self._drop(awaited)
                    awaited.on_listen()
        youngest = max((item.since for waiting in self._awaited.values() for item in waiting), default=0.0)
        age = now - youngest
        self._loop.after(FASTEST if age < YOUNG else min(SHARE * age, SLOWEST), self._tick)

    def _drop(self, awaited: Awaited) -> None:
        waiting = self._awaited.get(awaited.number, [])
        if awaited in waiting:
            waiting.remove(awaited)
        if not waiting:
            self._awaited.pop(awaited.number, None)

    def _accepts(self, awaited: Awaited, listeners: list[Listener], now: float) -> bool:
        if tuple(listeners) == awaited.rejected and now - awaited.rejected_at < LOOK_AGAIN:
            return False
        reachable = [listener for listener in listeners if _reaches(listener.host, awaited.host)]
        if any(self._is_ours(awaited.replica, listener) for listener in reachable):
            return True
        self._reject(awaited, tuple(listeners), now, foreign=bool(reachable))
        return False

    def _is_ours(self, replica: str, listener: Listener) -> bool:
        if not replica:
            return True
        owns = self._table.owns(listener.inode, self._family.leader_first(replica))
        return owns if owns is not None else listener.uid in map(_uid, self._family.tree(replica))

    def _reject(self, awaited: Awaited, listeners: tuple[Listener, ...], now: float, *, foreign: bool) -> None:
        first = awaited.rejected != listeners
        awaited.rejected, awaited.rejected_at = listeners, now
        if foreign:
            awaited.note = f"what listens on port {awaited.number} is no process of {awaited.replica}"
        else:
            places = ", ".join(sorted({listener.host for listener in listeners}))
            awaited.note = f"port {awaited.number} is open on {places}, not on {awaited.host}"
        if first:
            awaited.on_foreign(awaited.note)


def _uid(pid: int) -> int:
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        return -1


def _reaches(listener: str, wanted: str) -> bool:
    """Return whether somebody who connects to `wanted` meets a socket that listens on `listener`.

    A name, not an address, may mean any of them.
    """
    is_address = wanted.replace(".", "").isdigit() or ":" in wanted
    target = CONNECTABLE.get(wanted, wanted)
    return not is_address or listener in CONNECTABLE or listener.removeprefix("::ffff:") == target
