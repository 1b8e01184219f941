"""The session's end of its control socket: one JSON object a line, asked by other processes of this user."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import Awaitable, Callable
from typing import Protocol

from envspec.agent.wire import Message, decode, encode, error_to_json
from envspec.errors import EnvspecError, UsageError
from envspec.plan.codec import from_json, to_json
from envspec.plan.events import Event, event_to_json
from envspec.plan.fault import Order
from envspec.session.log_chunk import LogChunk
from envspec.session.status import SessionStatus
from envspec.session.wills import Wills

SLOW_READER = 2**22
"""Bytes of events that may wait for somebody who does not read; then the connection is closed."""
Conversation = Callable[[Message, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Answers a request whose connection stays open."""
LAST_WORDS = 1.0
"""Seconds that those who are connected get to hear the last answers."""


class Controlled(Protocol):
    """What the socket controls."""

    @property
    def status(self) -> SessionStatus:
        """What the session looks like now."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown of what services write."""

    def subscribe(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Hear all events, past and future."""

    async def wait_down(self, reason: str, *, force: bool) -> None:
        """Take the session down, and return when nothing runs any more."""

    async def fault(self, order: Order) -> None:
        """Do what is ordered."""

    async def read_log(self, replica: str, offset: int, limit: int) -> LogChunk:
        """Read a piece of a log."""


class ControlServer:
    """Listens in the session's directory until it is closed."""

    def __init__(self, session: Controlled) -> None:
        self._session = session
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._verbs: dict[str, Callable[[Message], Awaitable[Message]]] = {
            "status": self._status,
            "stop": self._stop,
            "fault": self._fault,
            "log": self._log,
            "secrets": self._secrets,
        }
        self._wills = Wills(session)
        self._conversations: dict[str, Conversation] = {"events": self._tell_events, "will": self._wills.keep}

    def offer(self, verb: str, conversation: Conversation) -> None:
        """Answer one verb more, with a conversation."""
        self._conversations[verb] = conversation

    async def open(self, listener: socket.socket) -> None:
        """Begin to answer those who connect to `listener`."""
        # In two steps: the first never yields, so a start that is cancelled here has something to close.
        self._server = await asyncio.start_unix_server(self._connected, sock=listener, start_serving=False)
        await self._server.start_serving()

    async def close(self) -> None:
        """Stop listening, and let those who wait for an answer have it."""
        if self._server is not None:
            self._server.close()
        self._wills.close()
        if self._serving:
            _, late = await asyncio.wait(self._serving, timeout=LAST_WORDS)
            for task in late:
                task.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        await asyncio.wait([task])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request; a conversation goes on until either end has enough."""
        try:
            message = decode(await reader.readline() or b"{}")
            conversation = self._conversations.get(str(message.get("do")))
            if conversation is not None:
                await conversation(message, reader, writer)
            else:
                writer.write(encode(await self._answer(message)))
                await writer.drain()
        except (OSError, ValueError):
            return  # whoever asked is gone, or speaks another language
        finally:
            writer.close()

    async def _answer(self, message: Message) -> Message:
        verb = self._verbs.get(str(message.get("do")))
        try:
            if verb is None:
                raise UsageError(f"the session knows no {message.get('do')!r}")
            return {"ok": await verb(message)}
        except EnvspecError as error:
            return {"error": error_to_json(error)}
        except (KeyError, TypeError, ValueError) as error:  # something is missing, or of the wrong type
            return {"error": error_to_json(UsageError(f"the session does not understand the request: {error!r}"))}

    async def _status(self, _message: Message) -> Message:
        status: Message = to_json(self._session.status)
        return status

    async def _stop(self, message: Message) -> Message:
        await self._session.wait_down(str(message.get("reason", "")), force=bool(message.get("force")))
        return {}

    async def _fault(self, message: Message) -> Message:
        await self._session.fault(from_json(Order, message))
        return {}

    async def _secrets(self, _message: Message) -> Message:
        # Only this user can ask, and may read the very variables in /proc.
        return {"secrets": list(self._session.secrets)}

    async def _log(self, message: Message) -> Message:
        chunk = await self._session.read_log(str(message["replica"]), int(message["offset"]), int(message["limit"]))
        return {**to_json(chunk), "data": base64.b64encode(chunk.data).decode()}

    async def _tell_events(self, _message: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def tell(event: Event) -> None:
            if writer.transport.get_write_buffer_size() > SLOW_READER:
                writer.transport.abort()
            elif not writer.is_closing():
                writer.write(encode(event_to_json(event)))

        leave = self._session.subscribe(tell)
        try:
            await reader.read(1)  # the other end says nothing more; it only leaves
        finally:
            leave()
