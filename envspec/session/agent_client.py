"""Speaks the agent's protocol from the session's side: requests are awaited, notices go to a callback."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from envspec.agent.identity import boot_id
from envspec.agent.sweep import owned, sweep
from envspec.agent.wire import PROTOCOL, Message, decode, encode, error_from_json
from envspec.backends.base import Stream
from envspec.errors import AgentLostError
from envspec.units import format_seconds

RENEWALS_PER_TTL = 3
"""How often an agent with a time to live hears of us within that time, so that one lost message ends nothing."""
KILLED = "something ended it: a kill by name, the out-of-memory killer (dmesg says so), or a bug in envspec"
LOOK_AGAIN = 0.002
"""Seconds between looks whether guardian and agent are gone: their stream ends while they exit."""
LOOKS = 1000
CLOSE_PATIENCE = 10.0
"""Seconds in which the agent must have ended what is left, for which it gives that a second, and SIGKILL five."""
SWEPT_SHOWN = 5
"""Processes that the error names of those that had to be ended; a forking server leaves hundreds."""


class AgentClient:
    """The line to one agent. Make it inside a running loop.

    `greeted` says that the agent knows us: before, it takes no request but `hello`. `lost` is done when the stream has
    ended for whatever reason: nothing of the environment is left then. `let_go` says that it was `close`.
    """

    def __init__(self, stream: Stream, on_notice: Callable[[Message], None]) -> None:
        self._stream = stream
        self._on_notice = on_notice
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self.greeted = False
        self.let_go = False
        self._directory: Path | None = None
        self._clock_difference = 0.0
        self.lost: asyncio.Future[AgentLostError] = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read())
        self._renewing: asyncio.Task[None] | None = None

    async def hello(self, ttl: float | None, *, directory: str, **arguments: Any) -> Message:
        """Introduce the session, and from then on renew its time to live where the backend has one.

        Raises:
            BackendError: the agent refuses, speaks another protocol, or is gone.
        """
        answer = await self.request("hello", protocol=PROTOCOL, ttl=ttl, directory=directory, **arguments)
        self.greeted = True
        self._directory = Path(directory)
        if answer["boot_id"] != boot_id():  # another machine, whose clock began at another time
            self._clock_difference = time.monotonic() - answer["clock"]
        if ttl is not None:
            self._renewing = asyncio.create_task(self._renew(ttl))
        return answer

    async def request(self, do: str, **arguments: Any) -> Message:
        """Ask the agent to do something and return what it answers.

        Raises:
            EnvspecError: what the agent raised, as the class that it named.
            AgentLostError: the stream has ended, or ends before the answer.
        """
        if self.lost.done():
            raise self.lost.result()
        number = next(self._numbers)
        reply: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[number] = reply
        try:
            self._send({"id": number, "do": do, **arguments})
            return await reply
        finally:
            del self._waiting[number]

    async def request_within(self, seconds: float, do: str, **arguments: Any) -> Message:
        """Do as `request` does of what the agent must not put off: one without an answer in time is given up.

        Raises:
            EnvspecError: what the agent raised, as the class that it named.
            AgentLostError: the agent is lost, or is now, because it did not answer.
        """
        try:
            return await asyncio.wait_for(self.request(do, **arguments), seconds)
        except TimeoutError:
            why = f"it did not answer `{do}` within {format_seconds(seconds)}, so its stream was closed"
            await self._shut(why, cause="it was stopped, as by SIGSTOP, or hangs")
            raise self.lost.result() from None

    def _send(self, message: Message) -> None:
        # Never awaited: a replica's files are the largest message, and the agent always reads.
        self._stream.writer.write(encode(message))

    async def _renew(self, ttl: float) -> None:
        while not self.lost.done():
            await asyncio.wait([self.lost], timeout=ttl / RENEWALS_PER_TTL)
            self._send({"id": 0, "do": "renew"})

    async def _read(self) -> None:
        ended = "its end of the stream was closed"
        try:
            while line := await self._stream.reader.readline():
                if self._take(decode(line)):
                    # Whoever waits for a reply hears it before the notices behind it: a process is known by its pid
                    # before it has exited. Lines that are here already would else be read without a pause.
                    await asyncio.sleep(0)
        except ConnectionError:
            pass  # what a write meets that comes before its end is read
        except (OSError, ValueError) as error:
            ended = f"{type(error).__name__}: {error}"
        if not self._stream.reader.at_eof():
            self._stream.writer.close()  # nonsense: upon that, whoever sent it ends as well
        self._lose(ended, await self._sweep())

    async def _sweep(self) -> list[str]:
        """End what guardian and agent could not, where both were killed at once, and return it."""
        if self._directory is None:
            return []
        for _ in range(LOOKS):
            if not owned(self._directory):
                break
            await asyncio.sleep(LOOK_AGAIN)
        # In this thread, for nothing is left to be served, and at the exit of the interpreter there is no other.
        return sweep(self._directory)

    def _take(self, message: Message) -> bool:
        """Hand a message on; return whether somebody waited for it."""
        if "notice" in message:
            self._on_notice(self._in_our_time(message))
            return False
        reply = self._waiting.get(message.get("id", 0))
        if reply is None or reply.done():
            return False  # whoever asked was cancelled meanwhile
        if "error" in message:
            reply.set_exception(error_from_json(message["error"]))
        else:
            reply.set_result(self._in_our_time(message.get("ok", {})))
        return True

    def _in_our_time(self, message: Message) -> Message:
        """Return a message with the agent's monotonic time as ours."""
        return {**message, "at": message["at"] + self._clock_difference} if "at" in message else message

    def _lose(self, why: str, swept: Sequence[str] = (), cause: str = KILLED) -> None:
        error = AgentLostError(
            f"the agent is gone ({why}), and with it everything that it ran{_told(swept)}",
            hint=cause + (f"; what it said last is in {self._directory / 'agent.log'}" if self._directory else ""),
        )
        if not self.lost.done():
            self.lost.set_result(error)
        for reply in self._waiting.values():
            if not reply.done():
                reply.set_exception(error)

    async def leave(self) -> None:
        """Let the agent end by itself, and what is left with it; then close the stream."""
        if self.greeted:
            with suppress(AgentLostError):
                await self.request_within(CLOSE_PATIENCE, "close")
        await self.close()

    def lost_but_for(self, known: BaseException | None) -> list[AgentLostError]:
        """Return the loss of the agent, unless we let it go or it is what is `known` already."""
        if self.let_go:
            return []
        lost = self.lost.result()
        return [] if lost is known else [lost]

    async def close(self) -> None:
        """Close the stream. The agent then ends whatever still runs, in its own time."""
        self.let_go = self.let_go or not self.lost.done()
        await self._shut("the session closed it")

    async def _shut(self, why: str, cause: str = KILLED) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
        self._stream.writer.close()
        self._reading.cancel()
        await asyncio.wait([self._reading])
        self._lose(why, cause=cause)


def _told(swept: Sequence[str]) -> str:
    if not swept:
        return ""
    more = f" and {len(swept) - SWEPT_SHOWN} more" if len(swept) > SWEPT_SHOWN else ""
    return f"; what had outlived it was killed: {', '.join(swept[:SWEPT_SHOWN])}{more}"
