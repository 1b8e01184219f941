"""Ending a test that awaits something: its coroutine is cancelled, as asyncio does on Ctrl-C (asyncio.Runner).

An exception that comes up in the event loop itself would leave the coroutine as it is, and it would go on within the
next test that runs the same loop.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


def awaited(frame: FrameType | None) -> asyncio.Future[Any] | None:
    """Return what the event loop of this thread runs for, unless that is what runs now, where it can be raised in."""
    module: Any = sys.modules.get("asyncio")  # a test without it spares us the import
    run = module.BaseEventLoop.run_until_complete.__code__ if module is not None else None
    while frame is not None and frame.f_code is not run:
        frame = frame.f_back
    if module is None or frame is None:
        return None
    future: asyncio.Future[Any] = frame.f_locals["future"]
    return None if module.current_task(frame.f_locals["self"]) is future else future


def cancel(future: asyncio.Future[Any], why: str) -> None:
    """Cancel it from a signal's handler."""
    future.get_loop().call_soon_threadsafe(future.cancel, why)


def is_cancellation(error: BaseException) -> bool:
    """Tell whether that is how a cancelled coroutine ends."""
    module: Any = sys.modules.get("asyncio")
    return module is not None and isinstance(error, module.CancelledError)
