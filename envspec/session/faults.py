"""Faults that users order: what a crash, a hang or an operator would do to a service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import get_args

from envspec.errors import EnvspecError, StoppedError, UsageError
from envspec.plan import events as e
from envspec.plan.fault import Fault, FaultAction, Order
from envspec.plan.plan import Plan
from envspec.session.amounts import signal_name
from envspec.session.child import Child, the_child
from envspec.session.endpoint_faults import EndpointFaults, all_of
from envspec.session.event_log import EventLog
from envspec.session.fault_schedule import FaultSchedule
from envspec.session.replica import Replica
from envspec.session.supervisor import Supervisor

Doing = Callable[[Replica, Order], Awaitable[None]]

ACTIONS: tuple[FaultAction, ...] = get_args(FaultAction)
WITH_SIGNAL = ("kill", "kill_child")
WITH_WIPE = ("stop", "restart")
NEEDS_PROCESS = ("kill", "kill_child", "pause", "resume", "stop")
IN_TURN = ("restart", "stop", "start")
"""What takes its time, and so waits for another of these that is being done to the same replica. A signal does not: a
stop that is slow, or a start that hangs, is what one wants to kill."""


class Faults:
    """Carries out orders, and the faults of the plan when their time comes."""

    def __init__(self, supervisor: Supervisor, log: EventLog, plan: Plan) -> None:
        self._supervisor = supervisor
        self._log = log
        self._endpoints = EndpointFaults(supervisor, log)
        self._turns = {name: asyncio.Lock() for name in supervisor.replicas}
        self._under_way: set[asyncio.Task[None]] = set()
        self._ended = ""
        self._actions: dict[str, Doing] = {
            "kill": self._kill,
            "pause": self._pause,
            "resume": self._resume,
            "restart": self._restart,
            "stop": self._stop,
            "start": self._start,
        }
        log.subscribe(self._hear)
        if plan.faults:
            services = {service.name: [replica.name for replica in service.replicas] for service in plan.services}
            log.subscribe(FaultSchedule(plan.faults, services, self._on_schedule, self._refused).hear)

    async def carry_out(self, order: Order, position: str = "") -> None:
        """Do what is ordered to a replica, or to all replicas of a service, and return when it is done.

        `kill` sends its signal to the leader and, where that is KILL, waits for its end to be noticed. `restart` and
        `start` return when the service is healthy. `position` is where a fault of the file is written.

        Raises:
            UsageError: there is no such action, service or child, or it does not run, or runs elsewhere.
            ServiceError: it did not become healthy again, or could not be stopped.
            StateDirectoryError: what it left cannot be wiped.
            StoppedError: the session was stopped meanwhile.
        """
        work = asyncio.create_task(self._carry_out(order, position))
        self._under_way.add(work)
        try:
            await asyncio.wait([work])
        finally:
            work.cancel()
            self._under_way.discard(work)
        if self._ended and work.cancelled():
            raise StoppedError(f"the session was stopped before this was done: {order} ({self._ended})")
        await work

    async def _carry_out(self, order: Order, position: str) -> None:
        if order.port:
            await self._endpoints.carry_out(order, position)
            return
        order = _sound(order)
        replicas = self._supervisor.select(order.target)
        async with AsyncExitStack() as turns:
            if order.action in IN_TURN:
                for replica in replicas:
                    await turns.enter_async_context(self._turns[replica.plan.name])
            # What is refused has not happened, to none of them, and is no event.
            children = [await _possible(order, replica) for replica in replicas]
            doing = (self._do(order, position, *pair) for pair in zip(replicas, children, strict=True))
            await all_of(doing)
        if order.action in ("restart", "start"):
            await all_of(map(_up, replicas))

    async def heal(self) -> None:
        """End whatever is done to what passes through ports, and let what is paused go on; of that, a warning tells."""
        await self._endpoints.heal()
        for name, replica in self._supervisor.replicas.items():
            if replica.attempt is not None and replica.attempt.paused:
                self._log.record(e.Warned(replica=name, message=f"{name} was still paused, and goes on now"))
                await self.carry_out(Order("resume", name))

    async def _on_schedule(self, order: Order, fault: Fault) -> None:
        await self.carry_out(order, fault.position)

    def _refused(self, fault: Fault, error: EnvspecError) -> None:
        self._log.record(e.Warned(message=f"{fault.where} ({fault.order}) could not be done: {error}"))

    def _hear(self, event: e.Event) -> None:
        if isinstance(event, e.SessionStopping):  # what goes down now stays down
            self._ended = event.reason or "no reason was given"
            for work in self._under_way:
                work.cancel()

    async def _do(self, order: Order, position: str, replica: Replica, child: Child | None) -> None:
        self._tell(order, position, replica.plan.name, child)
        if child is not None:
            await replica.signal_child(child.pid, order.signal)
        else:
            await self._actions[order.action](replica, order)

    def _tell(self, order: Order, position: str, name: str, child: Child | None) -> None:
        self._log.record(
            e.FaultOrdered(
                replica=name,
                action=order.action,
                signal=order.signal if order.action in WITH_SIGNAL else "",
                child=str(child or ""),
                wipe=order.wipe,
                position=position,
            )
        )

    async def _kill(self, replica: Replica, order: Order) -> None:
        attempt = replica.attempt
        if attempt is not None:
            # What a pause has stopped goes on as a whole, or it would be said to run while its children stand still.
            await replica.signal(order.signal, "tree" if order.signal == "CONT" else "leader")
            if order.signal == "KILL":
                await asyncio.wait([attempt.settled])

    async def _pause(self, replica: Replica, _order: Order) -> None:
        await replica.signal("STOP", "tree")

    async def _resume(self, replica: Replica, _order: Order) -> None:
        await replica.signal("CONT", "tree")

    async def _restart(self, replica: Replica, order: Order) -> None:
        await self._take_down(replica, order)
        replica.begin()

    async def _stop(self, replica: Replica, order: Order) -> None:
        await self._take_down(replica, order)
        self._supervisor.keep_down(replica)

    async def _start(self, replica: Replica, _order: Order) -> None:
        await replica.leave()
        replica.begin()

    async def _take_down(self, replica: Replica, order: Order) -> None:
        await replica.leave()
        await replica.take_down()
        if order.wipe:
            await replica.wipe()


async def _up(replica: Replica) -> None:
    """Return when a replica is up; raise what keeps it from that."""
    up = replica.up
    await asyncio.wait([up])
    if (error := up.result()) is not None:
        raise error


def _sound(order: Order) -> Order:
    """Return the order with its signal as a name without SIG.

    Raises:
        UsageError: it cannot be meant.
    """
    if order.action not in ACTIONS:
        raise UsageError(f"there is no fault {order.action!r}", hint=f"there are: {', '.join(ACTIONS)}")
    if not isinstance(order.wipe, bool):
        raise UsageError(f"wipe= is True or False, not {order.wipe!r}")
    if order.wipe and order.action not in WITH_WIPE:
        raise UsageError(f"{order.action} wipes nothing", hint=f"what wipes a directory: {' and '.join(WITH_WIPE)}")
    if order.action == "kill_child" and not order.child:
        raise UsageError("kill_child needs a part of the child's name or of its command line")
    return replace(order, signal=signal_name(order.signal))


async def _possible(order: Order, replica: Replica) -> Child | None:
    """Return the child that is meant, if one is.

    Raises:
        UsageError: it cannot be done to this replica, as it is now.
    """
    name = replica.plan.name
    if replica.plan.attached:
        raise UsageError(f"{name} is attached: envspec did not start it, and leaves it alone")
    if order.action == "start" and replica.runs:
        raise UsageError(f"{name} runs already")
    if order.action in NEEDS_PROCESS and not replica.runs:
        raise UsageError(f"{name} does not run")
    return the_child(name, order.child, await replica.children()) if order.child else None
