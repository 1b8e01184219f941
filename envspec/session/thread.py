"""A session in a thread of this process, with blocking verbs: for pytest and for scripts."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from envspec.backends.base import Backend
from envspec.errors import AgentLostError, EnvspecError, SessionOverError, UsageError
from envspec.plan.events import Event
from envspec.plan.fault import Order
from envspec.session.listener import Listener
from envspec.session.log_chunk import LogChunk, read_file
from envspec.session.request import Request
from envspec.session.session import Session
from envspec.session.state import LOGS
from envspec.session.status import SessionStatus

Result = TypeVar("Result")
LAST_ANSWERS = 5.0
"""Seconds that callers in other threads get when the session is over; none of them needs more than a moment."""

LAST_HEARD = 1.0
"""Seconds that a subscriber gets to hear the last events before `stop` returns."""


class BackgroundSession:
    """A session, and the event loop that it lives in. `start` it once; `stop` it from any thread.

    It is stopped when the interpreter exits. A forked child of this process must leave it alone, and does.
    """

    def __init__(self, request: Request, backend: Backend | None = None) -> None:
        self._request = request
        self._backend = backend
        self._owner = os.getpid()
        self._made: Future[Session] = Future()
        self._door = threading.Lock()
        self._closing = False
        self._listeners: list[Listener] = []
        self._thread = threading.Thread(target=self._run, name=f"envspec {request.file.stem}", daemon=True)

    def start(self, on_event: Callable[[Event], None] | None = None) -> None:
        """Return when the environment is healthy. `on_event` is called in the session's own thread.

        Raises:
            EnvspecError: it did not start; nothing of it is left, but for what `keep_on_failure` leaves.
        """
        self._thread.start()
        session = self._made.result()
        if on_event is not None:
            session.subscribe(on_event)
        atexit.register(self._at_exit)
        try:
            self._call(session.start())
        except BaseException:  # KeyboardInterrupt as well: over there, the start is still going on
            if not self._request.keep_on_failure:
                self.stop("the start was given up")
            raise

    def stop(self, reason: str = "stopped", *, force: bool = False) -> None:
        """Take the environment down and return when nothing is left of it. May be called again.

        Whoever subscribed has heard of it then, but for callbacks that take their time.

        Ctrl-C meanwhile means that it should be quick: what still runs is ended by force, which takes a second. One
        more does not wait for that, either.

        Raises:
            ServiceStopError: something survived SIGKILL.
            KeyboardInterrupt: there was one; says what became of the stop.
        """
        if os.getpid() != self._owner or not self._thread.is_alive():
            return
        atexit.unregister(self._at_exit)
        try:
            self._see_down(reason, force=force)
        except KeyboardInterrupt:
            with suppress(KeyboardInterrupt):  # what is left behind by one more, the agent ends
                self._see_down(reason, force=True)
            name = self.status().environment
            raise KeyboardInterrupt(f"{name} was ended by force: Ctrl-C came while it was being stopped") from None

    def _see_down(self, reason: str, *, force: bool) -> None:
        """Take the session down, and the thread with it. Interrupted, leaves both as they are."""
        error: EnvspecError | None = None
        try:
            self._call(self._stop(reason, force=force))
        except SessionOverError:
            pass  # somebody else stopped it, and the loop is going
        except EnvspecError as survived:
            error = survived
        self._thread.join()
        for listener in self._listeners:
            listener.wait(LAST_HEARD)
        if error is not None:
            raise error

    async def _stop(self, reason: str, *, force: bool) -> None:
        try:
            await self.session.stop(reason, force=force)
        finally:
            self._left.set()

    @property
    def session(self) -> Session:
        """The session itself. Its coroutines belong to its own thread."""
        return self._made.result()

    def status(self) -> SessionStatus:
        """Return what the session looks like now."""
        return self.session.status

    def fault(self, action: str, name: str, signal: str = "KILL", *, child: str = "", wipe: bool = False) -> None:
        """Do kill, kill_child, pause, resume, restart, stop or start to a service or a replica; returns when done."""
        __tracebackhide__ = True
        self.carry_out(Order(action, name, signal, child, wipe))

    def carry_out(self, order: Order) -> None:
        """Do what is ordered to a service or to what passes through its ports; returns when done."""
        __tracebackhide__ = True
        self._call(self.session.fault(order))

    def leave_will(self, _ends: Sequence[Order]) -> Callable[[], None]:
        """Leave nothing: the session ends with this process."""
        return lambda: None

    def read_log(self, replica: str, offset: int, limit: int) -> tuple[bytes, int]:
        """Return bytes of a log and the offset after them."""
        try:
            chunk = self._call(self.session.read_log(replica, offset, limit))
        except (SessionOverError, AgentLostError) as error:
            chunk = self._read_file(replica, offset, limit, error)
        return chunk.data, chunk.end

    def _read_file(self, replica: str, offset: int, limit: int, why: EnvspecError) -> LogChunk:
        """Read what the agent cannot give any more, or not to this process."""
        path = Path(self.status().dir, LOGS, f"{replica}.log")
        try:
            return read_file(path, offset, limit)
        except OSError as error:
            raise UsageError(f"{why}, and its log cannot be read: {path}: {error.strerror}") from None

    def secrets(self) -> tuple[str, ...]:
        """Return what must be masked in logs, which services write as they like."""
        return self.session.secrets

    def subscribe(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call `callback` with every event, those so far first, in a thread of its own; returns what ends that."""
        listener = Listener(callback)
        try:
            leave = self._call(self._listen(listener))
        except SessionOverError:  # nobody writes any more
            self.session.subscribe(listener.tell)
            listener.end()
            return listener.end

        def end() -> None:
            listener.end()
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(leave)

        return end

    async def _listen(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)
        return self.session.subscribe(listener.tell)

    def _run(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._left = asyncio.Event()
        try:
            self._made.set_result(Session(self._request, self._backend))
        except UsageError as error:
            self._made.set_exception(error)
            return
        await self._left.wait()
        await self._see_out()
        for listener in self._listeners:
            listener.end()

    async def _see_out(self) -> None:
        """Let those who were let in before the door closed have their answers."""
        with self._door:
            self._closing = True
        await asyncio.sleep(0)  # what was submitted last becomes a task now
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=LAST_ANSWERS)

    def _call(self, work: Coroutine[Any, Any, Result]) -> Result:
        __tracebackhide__ = True
        if os.getpid() != self._owner:  # and the door may have been shut for ever when it was forked
            work.close()
            raise SessionOverError(
                f"the session {self.status().id} belongs to the process {self._owner}, which this one was forked from",
                hint="ports, URLs and logs can be read here, and states as they were at the fork; faults belong to "
                "that process, and to commands such as `envspec kill`",
            )
        with self._door:
            if self._closing:
                work.close()
                status = self.status()
                message = f"the session {status.id} is over"
                raise SessionOverError(message, hint=f"what it left, logs and events, is in {status.dir}")
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except EnvspecError as error:  # it says all; nobody learns more from where in the other thread it came up
            raise error.with_traceback(None) from error.__cause__

    def _at_exit(self) -> None:
        if os.getpid() == self._owner:
            with suppress(KeyboardInterrupt):  # what that asks for is under way
                self.stop("the interpreter exits")
