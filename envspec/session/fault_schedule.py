"""Faults as data: waits for the moment of each, orders it, and ends what was to last for a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from envspec.errors import EnvspecError
from envspec.plan import events as e
from envspec.plan.fault import Fault, Milestone, Moment, Order, undoing

Do = Callable[[Order, Fault], Awaitable[None]]
Refused = Callable[[Fault, EnvspecError], None]


class FaultSchedule:
    """Some faults, each carried out once. Make it inside a running loop, tell it all events, and `leave` it.

    `do` carries an order out; what it refuses is told to `refused`. `services` are the replicas of each service. What
    happened before it was made counts, once it is told, as happening then.
    """

    def __init__(
        self, faults: Sequence[Fault], services: Mapping[str, Sequence[str]], do: Do, refused: Refused
    ) -> None:
        self._do = do
        self._refused = refused
        self._milestones = Milestones(services)
        self._left = asyncio.Event()
        self._due: set[Fault] = set()
        self._tasks = {fault: asyncio.create_task(self._see_to(fault)) for fault in faults}

    def hear(self, event: e.Event) -> None:
        """Take in what happened; faults whose moment this is begin to count. A session that stops ends them all."""
        self._milestones.hear(event)
        if isinstance(event, e.SessionStopping):  # what is down stays down
            for task in self._tasks.values():
                task.cancel()

    async def leave(self) -> list[Fault]:
        """End it: what was to last for a time ends now, and what is not due yet never comes and is returned."""
        self._left.set()
        if self._tasks:
            await asyncio.wait(self._tasks.values())
        return [fault for fault in self._tasks if fault not in self._due]

    async def _see_to(self, fault: Fault) -> None:
        if not await self._comes(self._milestones.reached(fault.after)):
            return
        if not await self._comes(asyncio.sleep(fault.after.delay)):
            return
        self._due.add(fault)
        done = await self._order(fault.order, fault)
        end = undoing(fault.order)
        if done and end is not None and fault.lasts is not None:
            await self._comes(asyncio.sleep(fault.lasts))
            await self._order(end, fault)

    async def _comes(self, moment: Coroutine[Any, Any, None]) -> bool:
        """Wait for a moment; return whether it came before this was left."""
        waiting, left = asyncio.create_task(moment), asyncio.create_task(self._left.wait())
        try:
            await asyncio.wait([waiting, left], return_when=asyncio.FIRST_COMPLETED)
            return waiting.done()
        finally:
            waiting.cancel()
            left.cancel()

    async def _order(self, order: Order, fault: Fault) -> bool:
        try:
            await self._do(order, fault)
        except EnvspecError as error:
            self._refused(fault, error)
            return False
        return True


class Milestones:
    """What has happened so far for the first time, and futures for what has not."""

    def __init__(self, services: Mapping[str, Sequence[str]]) -> None:
        self._services = services
        self._reached: dict[tuple[Milestone, str], asyncio.Event] = {}

    async def reached(self, moment: Moment) -> None:
        """Return when something has happened: to a service, when it has to all of its replicas."""
        if moment.milestone:
            names = self._services.get(moment.target, (moment.target,))
            await asyncio.gather(*(self._event(moment.milestone, name).wait() for name in names))

    def hear(self, event: e.Event) -> None:
        """Take in what happened."""
        match event:
            case e.SessionStarting():
                self._event("started", "").set()
            case e.SessionHealthy():
                self._event("healthy", "").set()
            case e.ReplicaSpawned():
                self._event("started", event.replica).set()
            case e.ReplicaListening():
                self._event("listening", event.replica).set()
            case e.ReplicaHealthy():
                self._event("first_healthy", "").set()
                self._event("healthy", event.replica).set()
            case e.ReplicaSucceeded():
                self._event("healthy", event.replica).set()

    def _event(self, milestone: Milestone, name: str) -> asyncio.Event:
        return self._reached.setdefault((milestone, name), asyncio.Event())
