"""Makes a test fail at once from another thread, also one that is blocked in a system call.

A signal to the main thread ends the system call, and its handler raises in the test. What goes on nevertheless, native
code or a bare `except:`, is let go on: the stacks of its threads then say where.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import _pytest
import pluggy
from _pytest.outcomes import Failed  # pytest.fail.Exception, as a class that can be seen

from envspec.pytest_plugin.awaiting import awaited, cancel, is_cancellation

SIGNAL = signal.SIGRTMIN + 5
"""Nobody's: debuggers, profilers, runtimes and pytest-timeout use others."""
PLUGGY, PYTEST, OURS = (f"{Path(str(file)).parent}{os.sep}" for file in (pluggy.__file__, _pytest.__file__, __file__))
PYTESTER = f"{PYTEST}pytester.py"
"""A part of pytest's that tests call, and not the other way round."""
ENTRANCES = frozenset({"call_fixture_func", "pytest_pyfunc_call", "runtest", "_call_with_optional_argument"})
"""Functions of pytest that call fixtures and tests, and take whatever they raise."""
PERIOD = 0.01
"""Seconds until the signal is sent again to a thread that was in the machinery."""
LATE = 0.5
"""Seconds after which a test that was interrupted should have ended."""


class EnvironmentBroken(Failed):
    """The environment that a test uses is broken."""

    __module__ = "builtins"  # as pytest's own outcomes: its name alone says enough


class StartCutShort(Failed):
    """A test was ended while it waited for an environment; that goes on starting."""

    __module__ = "builtins"


class _Order(NamedTuple):
    sentence: str
    round: int


class Interrupter:
    """Fails what runs on the main thread between `arm` and `disarm`, both called there."""

    def __init__(self) -> None:
        self._round = 0
        self._rounds = 0
        self._order: _Order | None = None
        self._cancelled = ""
        self._ended = threading.Condition()
        self._previous: Any = None
        self._installed = False

    def install(self) -> None:
        """Take the signal. Away from the main thread nothing can be interrupted, and nothing is."""
        if not self._installed and threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(SIGNAL, self._handle)
            self._installed = True

    def restore(self) -> None:
        """Give the signal back to whoever had it."""
        if not self._installed:
            return
        with self._ended:
            self._installed = False
        os.getppid()  # a signal that was just sent arrives at the latest now, and not after the handler is gone
        signal.signal(SIGNAL, signal.SIG_DFL if self._previous is None else self._previous)

    def arm(self) -> None:
        """Allow interruptions from now on."""
        self._rounds += 1
        self._round = self._rounds

    def disarm(self) -> None:
        """Allow none any more."""
        self._round = 0
        self._cancelled = ""
        with self._ended:
            self._ended.notify_all()

    def interrupt(self, sentence: str, on_late: Callable[[str], None]) -> None:
        """Fail what runs now with this sentence, from any thread; returns at once.

        `on_late` gets the stacks of the test's threads where it still runs after LATE seconds.
        """
        order = _Order(sentence, self._round)
        if order.round:
            threading.Thread(target=self._strike, args=(order, on_late), name="envspec interrupt", daemon=True).start()

    def _strike(self, order: _Order, on_late: Callable[[str], None]) -> None:
        with self._ended:
            self._order = order
            while self._order is order and self._round == order.round and self._installed:
                signal.pthread_kill(int(threading.main_thread().ident or 0), SIGNAL)
                self._ended.wait(PERIOD)
            self._ended.wait_for(lambda: self._round != order.round, LATE)
            late = self._round == order.round
        if late:
            from envspec.pytest_plugin.stacks import stacks

            on_late(stacks())

    def _handle(self, _number: int, frame: FrameType | None) -> None:
        __tracebackhide__ = True
        order = self._order
        if order is None or order.round != self._round or not _is_in_a_test(frame):
            return
        self._order = None
        if (future := awaited(frame)) is not None:
            self._cancelled = order.sentence
            cancel(future, order.sentence)
            return
        raise EnvironmentBroken(order.sentence)

    def broken_by(self, error: BaseException) -> EnvironmentBroken | None:
        """Return what was meant by the end of a coroutine that `interrupt` has cancelled; None of any other error."""
        if not self._cancelled or not is_cancellation(error):
            return None
        return EnvironmentBroken(self._cancelled).with_traceback(error.__traceback__)


def _is_in_a_test(frame: FrameType | None) -> bool:
    """Whether this is a test, a fixture, a hook, or what they called, and not one of pytest's own steps between them.

    Raising in those would leave pytest half way: it would not know whose failure it is, or what was set up. Neither may
    it be where environments are lent, since what is asked of another process there has to be answered.
    """
    entered = False
    innermost = frame
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(OURS) or frame.f_lineno is None:  # pytest cannot show a traceback without a line
            return False
        if not entered and file.startswith((PLUGGY, PYTEST)) and file != PYTESTER:
            if frame is innermost or (file.startswith(PYTEST) and frame.f_code.co_name not in ENTRANCES):
                return False
            entered = True
        frame = frame.f_back
    return entered
