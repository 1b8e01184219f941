"""Making a session that ran before fit for its next user: every service healthy, and back in its first state."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from graphlib import TopologicalSorter

from envspec.errors import ServiceExitedError, ServiceNotReadyError
from envspec.plan.fault import Order
from envspec.plan.plan import Plan
from envspec.session.agent_client import AgentClient
from envspec.session.asking import ask_once
from envspec.session.attempt import last_answer
from envspec.session.faults import Faults
from envspec.session.harmless import harmless
from envspec.session.replica import Replica


class Renewal:
    """Asks and resets the replicas of one session."""

    def __init__(self, plan: Plan, replicas: Iterable[Replica], agent: AgentClient, faults: Faults) -> None:
        self._plan = plan
        self._replicas = tuple(replicas)
        self._agent = agent
        self._faults = faults

    async def renew(self) -> None:
        """End what lasts of faults, ask every replica's `health` once, all at a time, then reset each service.

        A service is reset after those that it depends on.

        Raises:
            ServiceError: one of them does not run, is not healthy, or could not be reset.
        """
        await self._faults.heal()
        await _all(self._verify(replica) for replica in self._replicas)
        order = TopologicalSorter({service.name: service.depends_on for service in self._plan.services})
        order.prepare()
        while names := order.get_ready():
            await _all(self._reset(replica) for replica in self._replicas if replica.service.name in names)
            order.done(*names)

    async def _verify(self, replica: Replica) -> None:
        name = replica.plan.name
        if replica.service.kind == "task":
            return  # it is done
        if not replica.runs and not replica.plan.attached:
            raise ServiceExitedError(f"{name} does not run", service=name)
        if replica.plan.health:
            answer = await ask_once(self._agent, replica.plan, replica.plan.health, "verify")
            for said in map(last_answer, answer["answers"]):
                if not said.passed:
                    raise ServiceNotReadyError(
                        harmless(f"{name} is not healthy any more: {said.check}: {said.text}"), service=name
                    )

    async def _reset(self, replica: Replica) -> None:
        if replica.plan.reset_restarts:
            await self._faults.carry_out(Order("restart", replica.plan.name))
        for action in replica.plan.reset:
            answer = await ask_once(self._agent, replica.plan, (action,), "reset")
            if not answer["passed"]:
                said = last_answer(answer["answers"][0])
                name = replica.plan.name
                raise ServiceNotReadyError(
                    harmless(f"{name} could not be reset: {said.check}: {said.text}"), service=name
                )


async def _all(work: Iterable[Awaitable[None]]) -> None:
    """Wait for all of it, and raise what went wrong first in the order of the file."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if result is not None:
            raise result
