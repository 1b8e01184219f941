"""What can be done to a service on purpose, as methods: what a crash, a hang or an operator would do to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from envspec.errors import EnvspecError
from envspec.plan.fault import Order
from envspec.session import waiting
from envspec.session.amounts import seconds, signal_name
from envspec.session.status import ReplicaStatus

if TYPE_CHECKING:
    from envspec.session.live import Handle

PATIENCE = 60.0
"""Seconds that whoever waits for a service gives it, where nothing else is said: the default of `start_timeout`."""


class Breakable:
    """A service or a replica that can be broken. What depends on it is left alone; its ports and directory stay.

    All of this is ordered: nobody takes for a crash what comes of it (`envspec.session.aftermath`).
    """

    _handle: Handle
    name: str

    def kill(self, signal: str | int = "KILL") -> None:
        """Send a signal ("TERM", `signal.SIGTERM` or 15) to the process, or to those of all replicas.

        Returns once a killed process has gone; other signals may take their time, for which there is `wait_exited`.
        After "STOP" it is paused, but not its children, until `resume` or "CONT", which goes to its children as well.
        """
        __tracebackhide__ = True
        self._handle.fault("kill", self.name, signal_name(signal))

    def kill_child(self, text: str, signal: str | int = "KILL") -> None:
        """Send a signal to the one descendant whose name or command line contains `text`, such as "EngineCore".

        Raises:
            UsageError: there is none, or several match; the hint lists them.
        """
        __tracebackhide__ = True
        self._handle.fault("kill_child", self.name, signal_name(signal), child=text)

    def pause(self) -> None:
        """Stop the processes in their tracks (SIGSTOP); returns when they stand still. `resume` lets them go on."""
        __tracebackhide__ = True
        self._handle.fault("pause", self.name)

    def resume(self) -> None:
        """Let paused processes go on (SIGCONT)."""
        __tracebackhide__ = True
        self._handle.fault("resume", self.name)

    def stop(self, *, wipe: bool = False) -> None:
        """Stop it as the end of the environment would, and leave it down. `wipe` empties its directory.

        Raises:
            ServiceStopError: something of it survived SIGKILL.
        """
        __tracebackhide__ = True
        self._handle.fault("stop", self.name, wipe=wipe)

    def start(self) -> None:
        """Start it again after it was stopped or has died; returns when it is healthy.

        Raises:
            ServiceError: it did not become healthy.
        """
        __tracebackhide__ = True
        self._handle.fault("start", self.name)

    def restart(self, *, wipe: bool = False) -> None:
        """Stop and start it again; returns when it is healthy. `wipe` empties its directory in between.

        Raises:
            ServiceError: it did not become healthy again.
        """
        __tracebackhide__ = True
        self._handle.fault("restart", self.name, wipe=wipe)

    @contextmanager
    def stopped(self, *, wipe: bool = False) -> Iterator[Self]:
        """Keep it down for the body of a `with`, and start it again then, also when the body raises."""
        __tracebackhide__ = True
        with self._dying_does("start"):
            self.stop(wipe=wipe)
            with _in_the_end(self._start_what_is_down):
                yield self

    @contextmanager
    def paused(self) -> Iterator[Self]:
        """Keep it paused for the body of a `with`, and let it go on then, also when the body raises.

        Replicas that were paused before stay so.
        """
        __tracebackhide__ = True
        with self._dying_does("resume"):
            before = self._paused()
            self.pause()
            with _in_the_end(lambda: self._each("resume", [name for name in self._paused() if name not in before])):
                yield self

    def wait_healthy(self, timeout: float | str = PATIENCE) -> None:
        """Return when it is healthy, all replicas of it, and not paused; wait for that at most `timeout`: 60 or "1m".

        Raises:
            ServiceWaitError: it is not; says its state and what its validators said last.
        """
        __tracebackhide__ = True
        waiting.wait_healthy(self._handle, self.name, self._statuses, seconds(timeout, "wait_healthy()", endless=True))

    def wait_exited(self, timeout: float | str = PATIENCE) -> int | str:
        """Wait, at most `timeout` (60 or "1m"), until its process has ended; return its exit code or "SIGKILL".

        Meant is the process that runs, or ran last; after `kill` the one that was killed, even where it was restarted.

        Raises:
            ServiceWaitError: it still runs; says its state and what its validators said last.
            UsageError: there are several replicas.
        """
        __tracebackhide__ = True
        return waiting.wait_exited(self._handle, self._one, seconds(timeout, "wait_exited()", endless=True))

    def _statuses(self) -> list[ReplicaStatus]:
        raise NotImplementedError

    def _one(self) -> ReplicaStatus:
        raise NotImplementedError

    @contextmanager
    def _dying_does(self, end: str) -> Iterator[None]:
        """Let the session do this where our process ends within the body: others may share it."""
        __tracebackhide__ = True
        take_back = self._handle.leave_will([Order(end, self.name)])
        try:
            yield
        finally:
            take_back()

    def _start_what_is_down(self) -> None:
        __tracebackhide__ = True
        down = [replica.name for replica in self._statuses() if replica.pid is None]
        self._each("start", down)

    def _paused(self) -> list[str]:
        return [replica.name for replica in self._statuses() if replica.paused]

    def _each(self, action: str, replicas: list[str]) -> None:
        """Do it to all at once where all are meant: replicas start beside one another then."""
        __tracebackhide__ = True
        for name in [self.name] if len(replicas) == len(self._statuses()) else replicas:
            self._handle.fault(action, name)


@contextmanager
def _in_the_end(undo: Callable[[], None]) -> Iterator[None]:
    """Undo a fault after the body; where both go wrong, the body's error is the one that is raised."""
    __tracebackhide__ = True
    try:
        yield
    except BaseException as error:
        try:
            undo()
        except EnvspecError as another:
            error.add_note(f"and then: {another}")
        raise
    undo()
