"""Signals as people mean them: the first asks for a stop, a second Ctrl-C leaves at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

REASONS = {
    signal.SIGINT: "Ctrl-C",
    signal.SIGTERM: "SIGTERM",
    signal.SIGHUP: "the terminal was closed",
}
INTERRUPTED = 130


class Interruption:
    """Watches for SIGINT, SIGTERM and SIGHUP while it is entered.

    `reason` is empty until the first of them comes. A second SIGINT calls `leave` and ends this process without
    waiting for anything: the stream to the agent closes with it, and the agent stops what is left.
    """

    def __init__(self, leave: Callable[[], None]) -> None:
        self.reason = ""
        self._asked = asyncio.Event()
        self._leave = leave

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in REASONS:
            loop.add_signal_handler(number, self._signalled, number)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        loop = asyncio.get_running_loop()
        for number in REASONS:
            loop.remove_signal_handler(number)

    def _signalled(self, number: signal.Signals) -> None:
        if not self.reason:
            self.reason = REASONS[number]
            self._asked.set()
        elif number == signal.SIGINT:
            self._leave()
            os._exit(INTERRUPTED)

    async def cuts_short(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do `work` until it is done or a signal comes; return whether it was cut short (and cancelled).

        Raises:
            EnvspecError: what `work` raised.
        """
        task = asyncio.ensure_future(work)
        asked = asyncio.ensure_future(self._asked.wait())
        try:
            await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
        if task.done():
            task.result()
            return False
        task.cancel()
        await asyncio.wait({task})
        return True
