"""A second backend, for tests only: the agent is reached through TCP, as it would be on another machine.

The agent itself is a child of this process all the same: what is shown is that a session does not notice.
"""

from __future__ import annotations

import asyncio
import socket
from subprocess import Popen

from envspec.agent.launch import launch
from envspec.agent.wire import MESSAGE_LIMIT
from envspec.backends.base import Stream


class TcpBackend:
    """Opens an agent behind a TCP connection on the loopback interface, with a time to live."""

    name: str = "tcp"

    def __init__(self, ttl: float | None = 5.0) -> None:
        self.ttl = ttl
        self._guardian: Popen[bytes] | None = None

    async def open(self) -> Stream:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            ours = socket.create_connection(listener.getsockname())
            theirs, _ = listener.accept()
        with theirs:
            self._guardian = launch(theirs)
        reader, writer = await asyncio.open_connection(sock=ours, limit=MESSAGE_LIMIT)
        return Stream(reader, writer)

    async def close(self) -> str:
        if self._guardian is not None:
            await asyncio.to_thread(self._guardian.wait)
        return ""
