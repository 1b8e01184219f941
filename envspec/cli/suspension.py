"""Ctrl-Z: whoever draws on the terminal leaves it as other programs expect it while it is stopped."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager


def when_suspended(away: Callable[[], AbstractContextManager[None]]) -> Callable[[], None]:
    """Let Ctrl-Z stop this process inside of `away`, which it leaves when it goes on; returns what ends that.

    Nothing is done where SIGTSTP is somebody else's or ignored, or beside the main thread, which alone may handle it.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    if signal.getsignal(signal.SIGTSTP) != signal.SIG_DFL:
        return lambda: None

    def suspend(number: int, _frame: object) -> None:
        with away():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)  # we stop in here, and go on from here
            signal.signal(number, suspend)

    signal.signal(signal.SIGTSTP, suspend)
    return lambda: _give_back(suspend)


def _give_back(handler: Callable[[int, object], None]) -> None:
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTSTP) is handler:
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
