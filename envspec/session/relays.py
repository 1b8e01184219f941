"""The relays of a session's ports: opened before anything starts, and told what to do to what passes."""

from __future__ import annotations

import asyncio

from envspec.errors import BackendError
from envspec.plan.codec import to_json
from envspec.plan.plan import CONNECTABLE, Plan, ReplicaPlan
from envspec.plan.toxics import NOTHING, Toxics
from envspec.session.agent_client import AgentClient


class Relays:
    """What is done at each port that has a relay, by replica and port."""

    def __init__(self, plan: Plan, agent: AgentClient) -> None:
        self._agent = agent
        self._replicas = {replica.name: replica for replica in plan.replicas if replica.relayed}
        self._toxics = {(name, port): NOTHING for name, replica in self._replicas.items() for port in replica.relayed}

    async def open(self) -> None:
        """Let the relay listen at all of them.

        Raises:
            BackendError: it cannot.
        """
        await asyncio.gather(*(self._tell(self._replicas[name], port) for name, port in self._toxics))

    async def do(self, replica: str, port: str, toxics: Toxics) -> None:
        """Do this there from now on; returns when it is so.

        Raises:
            BackendError: there is no relay any more, or it does not answer; what was done there before is done on.
        """
        before, self._toxics[replica, port] = self._toxics[replica, port], toxics
        try:
            await self._tell(self._replicas[replica], port)
        except BackendError:
            if self._toxics[replica, port] is toxics:  # else somebody has ordered another thing meanwhile
                self._toxics[replica, port] = before
            raise

    def ailing(self) -> list[tuple[str, str]]:
        """Return the replicas and ports at which something is done."""
        return [place for place, toxics in self._toxics.items() if toxics != NOTHING]

    async def _tell(self, replica: ReplicaPlan, port: str) -> None:
        (seen,), own = replica.endpoints[port], replica.relayed[port]
        await self._agent.request(
            "relay",
            key=f"{replica.name}.{port}",
            host=seen.host,
            number=seen.port,
            to=(CONNECTABLE.get(own.host, own.host), own.port),
            toxics=to_json(self._toxics[replica.name, port]),
        )
