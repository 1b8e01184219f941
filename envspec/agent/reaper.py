"""Waiting for children: each of ours by name, and strays that came home to us as their subreaper."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import NamedTuple

from envspec.agent.loop import Loop


class Exit(NamedTuple):
    """How a process ended: one of the two is set. `signal` is a name, "SIGKILL"."""

    exit_code: int | None = None
    signal: str | None = None


class Reaper:
    """Reaps every dead child, and tells whoever adopted it.

    A pidfd wakes the loop when an adopted child ends; strays are met by whoever calls `reap` next. It peeks first
    and then waits for exactly that pid, so that no status is ever taken from somebody who waits for it.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._adopted: dict[int, tuple[int, Callable[[Exit], None]]] = {}

    def adopt(self, pid: int, on_exit: Callable[[Exit], None]) -> None:
        """Call `on_exit` when our child `pid` has ended. Until then its number means nobody else."""
        descriptor = os.pidfd_open(pid)
        self._adopted[pid] = (descriptor, on_exit)
        self._loop.watch(descriptor, self.reap)

    def knows(self, pid: int) -> bool:
        """Return whether `pid` is an adopted child that is not reaped yet."""
        return pid in self._adopted

    def reap(self) -> None:
        """Reap all who are dead now."""
        while (pid := _dead_child()) is not None:
            result = os.waitid(os.P_PID, pid, os.WEXITED)
            descriptor, on_exit = self._adopted.pop(pid, (-1, None))
            if result is not None and on_exit is not None:
                self._loop.forget(descriptor)
                os.close(descriptor)
                on_exit(_exit_of(result))


def _dead_child() -> int | None:
    try:
        peeked = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if peeked is None else peeked.si_pid


def _exit_of(result: os.waitid_result) -> Exit:
    if result.si_code == os.CLD_EXITED:
        return Exit(exit_code=result.si_status)
    return Exit(signal=signal_name(result.si_status))


def signal_name(number: int) -> str:
    """Return "SIGKILL" for 9; real-time signals, which Python has no names for, by their number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"
