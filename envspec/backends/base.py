"""What a backend is: a way to open a byte stream to an agent on a node.

The session knows nothing else of it. Whatever the stream is made of (a socket pair, TCP, an actor's mailbox), its end
means the end of the node's services, and the agent's protocol runs over it unchanged (envspec.agent.wire).
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from envspec.record import Record


class Stream(Record):
    """A byte stream to one agent, both ways."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Backend(Protocol):
    """Opens agents. `open` may be called once for each node that the session needs."""

    name: str
    ttl: float | None
    """Seconds without a sign of the session after which an agent stops everything; None where the stream is enough."""

    async def open(self) -> Stream:
        """Bring an agent up and return the stream to it.

        Raises:
            BackendError: the node or the agent cannot be had.
        """

    async def close(self) -> str:
        """Give back whatever `open` borrowed. The streams are closed already; never raises.

        Returns a sentence on what had to be ended by force, empty where nothing had.
        """
