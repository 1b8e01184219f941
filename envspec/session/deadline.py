"""Waiting for what the agent tells of a start, in the time that the start itself has had."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any


class Deadline:
    """When something must have come about: `seconds` after `since`, a monotonic time of the agent's.

    The session may stand still itself, as after Ctrl-Z, while agent and services go on. So time is up only once all is
    heard that has been said, and what was said in time counts. `hear` returns when the agent has answered something:
    that comes behind whatever it said before.
    """

    def __init__(self, since: float, seconds: float, hear: Callable[[], Awaitable[None]]) -> None:
        self._at = since + seconds
        self._hear = hear

    async def first(self, *futures: asyncio.Future[Any]) -> None:
        """Return when one of them is done, and cancel none.

        Raises:
            TimeoutError: none of them is, and time is up.
        """
        if not await _one_of(futures, max(0.0, self._at - time.monotonic())):
            await self._hear()
            if not any(future.done() for future in futures):
                raise TimeoutError

    def meet(self, at: float) -> None:
        """Take something for done at this monotonic time; for what follows there is from now on what was left then.

        Raises:
            TimeoutError: it was too late.
        """
        if at > self._at:
            raise TimeoutError
        self._at += time.monotonic() - at


async def first(*futures: asyncio.Future[Any]) -> None:
    """Return when one of them is done, and cancel none."""
    await _one_of(futures, None)


async def _one_of(futures: tuple[asyncio.Future[Any], ...], seconds: float | None) -> bool:
    done, _ = await asyncio.wait(futures, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    return bool(done)
