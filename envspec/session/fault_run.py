"""Faults of a test: carried out through a handle, from a thread of this process, until the test ends."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from uuid import uuid4

from envspec.errors import EnvspecError
from envspec.plan.events import Event
from envspec.plan.fault import Fault, Order, undoing
from envspec.session.fault_schedule import FaultSchedule
from envspec.session.live import Handle
from envspec.session.status import SessionStatus
from envspec.session.wills import still_needed


@dataclass
class FaultOutcome:
    """What became of faults: those that could not be done, each with the reason, and those whose time never came."""

    refused: list[tuple[Fault, EnvspecError]] = field(default_factory=list)
    missed: list[Fault] = field(default_factory=list)


class FaultRun:
    """Some faults of one environment. Begins when it is made: what has happened until then counts as happening then.

    Raises:
        EnvspecError: the session is over.
    """

    def __init__(self, handle: Handle, faults: Sequence[Fault]) -> None:
        self._handle = handle
        self._faults = [_own(fault) for fault in faults]
        self._services = replicas_of(handle.status())
        self._outcome = FaultOutcome()
        self._take_back = handle.leave_will(
            [end for fault in self._faults if (end := undoing(fault.order)) is not None]
        )
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="envspec faults", daemon=True)
        self._thread.start()
        self._ready.wait()
        try:
            self._leave = handle.subscribe(self._hear)
        except EnvspecError:
            self._end()
            raise

    def end(self) -> FaultOutcome:
        """End it: what was to last for a time ends now, and returns when that is done."""
        self._leave()
        self._end()
        return self._outcome

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._take_back()

    async def _main(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        self._schedule = FaultSchedule(self._faults, self._services, self._do, self._refuse)
        self._ready.set()
        await self._over.wait()
        self._outcome.missed = await self._schedule.leave()

    def _hear(self, event: Event) -> None:
        with suppress(RuntimeError):  # what is told behind the end has nobody to hear it
            self._loop.call_soon_threadsafe(self._schedule.hear, event)

    async def _do(self, order: Order, fault: Fault) -> None:
        orders = [order] if order is fault.order else still_needed(order, self._handle.status())
        await asyncio.gather(*(asyncio.to_thread(self._handle.carry_out, one) for one in orders))

    def _refuse(self, fault: Fault, error: EnvspecError) -> None:
        self._outcome.refused.append((fault, error))


def _own(fault: Fault) -> Fault:
    """Return the fault so that it, and nobody else's, is undone by the end of the test where it is not before."""
    lasts = math.inf if fault.lasts is None else fault.lasts
    return replace(fault, order=replace(fault.order, by=uuid4().hex), lasts=lasts)


def replicas_of(status: SessionStatus) -> dict[str, tuple[str, ...]]:
    """Return the replicas of each service."""
    services: dict[str, tuple[str, ...]] = {}
    for replica in status.services.values():
        services[replica.service] = (*services.get(replica.service, ()), replica.name)
    return services
