"""Faults that users order: what a crash, a hang or an operator would do to a service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from signal import Signals

from envspec.errors import UsageError
from envspec.plan import events as e
from envspec.session.event_log import EventLog
from envspec.session.replica import Replica
from envspec.session.supervisor import Supervisor

ACTIONS = ("kill", "pause", "resume", "restart", "stop", "start")


class Faults:
    """Carries out orders, one at a time for each replica."""

    def __init__(self, supervisor: Supervisor, log: EventLog) -> None:
        self._supervisor = supervisor
        self._log = log
        self._turns = {name: asyncio.Lock() for name in supervisor.replicas}

    async def order(self, action: str, name: str, signal: str = "KILL") -> None:
        """Do `action` to a replica, or to all replicas of a service, and return when it is done.

        `kill` sends `signal` to the leader and, where that is KILL, waits for its end to be noticed. `restart` and
        `start` return when the service is healthy.

        Raises:
            UsageError: there is no such action or service, or it does not run, or runs elsewhere.
            ServiceError: it did not become healthy again, or could not be stopped.
        """
        actions: dict[str, Callable[[Replica], Awaitable[None]]] = {
            "kill": lambda replica: self._kill(replica, signal.removeprefix("SIG")),
            "pause": lambda replica: replica.signal("STOP", "tree"),
            "resume": lambda replica: replica.signal("CONT", "tree"),
            "restart": self._restart,
            "stop": self._stop,
            "start": self._start,
        }
        if action not in actions:
            raise UsageError(f"there is no fault {action!r}", hint=f"there are: {', '.join(ACTIONS)}")
        if f"SIG{signal.removeprefix('SIG')}" not in Signals.__members__:
            raise UsageError(f"there is no signal {signal!r}", hint="kill -l lists them")
        replicas = self._supervisor.select(name)
        await asyncio.gather(*(self._do(action, actions[action], replica) for replica in replicas))

    async def _do(self, action: str, do: Callable[[Replica], Awaitable[None]], replica: Replica) -> None:
        if replica.plan.attached:
            raise UsageError(f"{replica.plan.name} is attached: envspec did not start it, and leaves it alone")
        async with self._turns[replica.plan.name]:
            _must_be_possible(action, replica)  # what is refused has not happened, and is no event
            self._log.record(e.FaultOrdered(replica=replica.plan.name, action=action))
            await do(replica)

    async def _kill(self, replica: Replica, signal: str) -> None:
        attempt = replica.attempt
        if attempt is not None:
            attempt.signalled = signal
            await replica.signal(signal, "leader")
            if signal == "KILL":
                await asyncio.wait([attempt.settled])

    async def _restart(self, replica: Replica) -> None:
        await replica.leave()
        await replica.take_down()
        await self._bring_up(replica)

    async def _stop(self, replica: Replica) -> None:
        await replica.leave()
        await replica.take_down()
        self._supervisor.note_lost(replica.plan.name, f"{replica.plan.name} was stopped on request")

    async def _start(self, replica: Replica) -> None:
        await replica.leave()
        await self._bring_up(replica)

    async def _bring_up(self, replica: Replica) -> None:
        replica.begin(wait=False)
        await asyncio.wait([replica.up])
        if (error := replica.up.result()) is not None:
            raise error


def _must_be_possible(action: str, replica: Replica) -> None:
    if action == "start" and replica.runs:
        raise UsageError(f"{replica.plan.name} runs already")
    if action in ("kill", "pause", "resume", "stop") and not replica.runs:
        raise UsageError(f"{replica.plan.name} does not run")
