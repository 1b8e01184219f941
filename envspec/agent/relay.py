"""The relay: stands before services, and slows, cuts or silences what passes when it is told to.

Run by the agent as `python -P -m envspec.agent.relay`, one for all ports. JSON lines on stdin:
`{"id", "key", "host", "number", "to": [host, number], "toxics": {…}}` says where it listens for what, and what is wrong
there from now on (envspec.plan.toxics); JSON lines on stdout: `{"id", "key", "error"}` when that is so, the error empty
or why it cannot be. It ends with its stdin.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any

from envspec.agent.processes import raise_descriptor_limit
from envspec.agent.relay_link import End, Link
from envspec.agent.wire import Message, Splitter, decode, encode
from envspec.plan.codec import from_json
from envspec.plan.toxics import Toxics

BACKLOG = 1024
"""Connections that may wait to be accepted: no fewer than before a service itself."""
Place = tuple[str, int]


class Gate:
    """A port at which the relay listens, and the links through it."""

    def __init__(self, place: Place, to: Place) -> None:
        self._to = to
        self._toxics = Toxics()
        self._links: set[Link] = set()
        self._listener = _bound(place)

    async def open(self) -> None:
        """Let clients in."""
        await asyncio.get_running_loop().create_server(self._client, sock=self._listener, backlog=BACKLOG)

    def obey(self, toxics: Toxics) -> None:
        """Do from now on what is ordered, to connections that are there and to those that come."""
        self._toxics = toxics
        for link in tuple(self._links):
            link.obey(toxics)

    def _client(self) -> End:
        link = Link(self._toxics, self._connect, self._links.discard)
        self._links.add(link)
        return link.client

    async def _connect(self, end: Callable[[], End]) -> None:
        await asyncio.get_running_loop().create_connection(end, *self._to)


def _bound(place: Place) -> socket.socket:
    """Return a socket over the hold that the agent has on the number.

    Raises:
        OSError: somebody else listens there, or the host is no address of this machine.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in place[0] else socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(place)
    except OSError:
        bound.close()
        raise
    return bound


class Relay:
    """Reads orders, and keeps a gate for each port."""

    def __init__(self, source: int, sink: int) -> None:
        self._source, self._sink = source, sink
        self._splitter = Splitter()
        self._gates: dict[str, Gate] = {}
        self._orders: asyncio.Queue[Message | None] = asyncio.Queue()

    async def run(self) -> None:
        """Serve until the source ends."""
        asyncio.get_running_loop().add_reader(self._source, self._read)
        while (order := await self._orders.get()) is not None:
            error = ""
            try:
                await self._obey(order)
            except OSError as refused:
                error = f"{refused.strerror or refused}"
            os.write(self._sink, encode({"id": order["id"], "key": order["key"], "error": error}))

    def _read(self) -> None:
        data = os.read(self._source, 65536)
        for line in self._splitter.feed(data):
            self._orders.put_nowait(decode(line))
        if not data:
            self._orders.put_nowait(None)

    async def _obey(self, order: Message) -> None:
        key: Any = order["key"]
        if key not in self._gates:
            host, number = order["to"]
            gate = Gate((order["host"], order["number"]), (host, number))
            await gate.open()
            self._gates[key] = gate
        self._gates[key].obey(from_json(Toxics, order["toxics"]))


def main() -> None:
    """Serve the agent on stdin and stdout."""
    raise_descriptor_limit()
    asyncio.run(Relay(0, 1).run())


if __name__ == "__main__":
    main()
