"""Wills: what a process wants done should it end before it has undone its faults, as a test's that crashes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from envspec.agent.wire import Message, encode
from envspec.errors import EnvspecError
from envspec.plan.codec import from_json
from envspec.plan.fault import Order
from envspec.session.status import SessionStatus

if TYPE_CHECKING:
    from envspec.session.control_server import Controlled


class Wills:
    """Keeps each will as long as its connection is open. A byte takes it back; without one, it is executed."""

    def __init__(self, session: Controlled) -> None:
        self._session = session
        self._over = asyncio.Event()

    def close(self) -> None:
        """Forget them: what they would undo is going down itself."""
        self._over.set()

    async def keep(self, message: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take in a will, and see what becomes of its author."""
        ends = [from_json(Order, end) for end in message["ends"]]
        writer.write(encode({"ok": {}}))
        if not await self._author_dies(reader):
            return
        for end in ends:
            for order in still_needed(end, self._session.status):
                with suppress(EnvspecError):  # it died meanwhile, or the session is over: nobody is left to be told
                    await self._session.fault(order)

    async def _author_dies(self, reader: asyncio.StreamReader) -> bool:
        """Return whether the connection ends without a word, while there still is something to undo."""
        word, over = asyncio.create_task(reader.read(1)), asyncio.create_task(self._over.wait())
        try:
            await asyncio.wait([word, over], return_when=asyncio.FIRST_COMPLETED)
            return word.done() and (word.exception() is not None or not word.result())
        finally:
            word.cancel()
            over.cancel()


def still_needed(end: Order, status: SessionStatus) -> list[Order]:
    """Return what is left to do of what ends a fault: a test may have undone it itself, or done worse."""
    if end.action == "heal":
        return [end]
    replicas = [one for one in status.services.values() if end.target in (one.service, one.name)]
    names = [one.name for one in replicas if (one.paused if end.action == "resume" else one.pid is None)]
    return [replace(end, target=name) for name in names]
