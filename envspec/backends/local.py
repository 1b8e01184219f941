"""The agent as a child process of ours, on the other end of a socket pair.

`launch_early` needs no asyncio (100 ms to import) and no specification: a command line starts the agent first, and
reads the file while it comes up.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING
from weakref import WeakSet

from envspec.agent.launch import launch

if TYPE_CHECKING:
    from collections.abc import Callable

    from envspec.backends.base import Stream

PATIENCE = 10.0
"""Seconds in which an agent that was let go ends; where processes wait inside the kernel, it takes six."""

_streams: WeakSet[socket.socket] = WeakSet()


class LocalStart:
    """An agent that is coming up, and our end of its stream.

    `pid` is its guardian's, `wait` returns when that has ended.
    """

    def __init__(self, stream: socket.socket, pid: int, wait: Callable[[], object]) -> None:
        self.stream = stream
        self.pid = pid
        self._wait = wait

    def close(self) -> None:
        """Close the stream, so that the agent ends with all it has, and wait for that."""
        self.stream.close()
        self._wait()


def launch_early() -> LocalStart:
    """Start an agent, and return without waiting for it.

    Raises:
        BackendError: no process can be made.
    """
    try:
        return begin()
    except OSError as error:
        from envspec.errors import BackendError

        raise BackendError(f"the agent cannot be started: {error.strerror}") from error


def begin() -> LocalStart:
    """Do as `launch_early`. Nothing but `socket` and `subprocess` is imported: `envspec.errors` alone takes 8 ms.

    Raises:
        OSError: no process can be made.
    """
    ours, theirs = socket.socketpair()
    try:
        guardian = launch(theirs)
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    _streams.add(ours)
    return LocalStart(ours, guardian.pid, guardian.wait)


class LocalBackend:
    """Runs everything on this machine. `early` is an agent that was started already."""

    name: str = "local"
    ttl: float | None = None

    def __init__(self, early: LocalStart | None = None) -> None:
        self._start = early

    async def open(self) -> Stream:
        """Return the stream to the agent, starting one if none was.

        Raises:
            BackendError: no process can be made.
        """
        import asyncio

        from envspec.agent.wire import MESSAGE_LIMIT
        from envspec.backends.base import Stream

        self._start = self._start or launch_early()
        reader, writer = await asyncio.open_unix_connection(sock=self._start.stream, limit=MESSAGE_LIMIT)
        return Stream(reader, writer)

    async def close(self) -> str:
        """Wait for the guardian, whose end means that nothing is left. One that does not end is killed with all it has.

        Returns a sentence that says so, empty where it was not needed.
        """
        start, self._start = self._start, None
        if start is None:
            return ""
        start.stream.close()
        forced = "" if await _ends(start.pid, PATIENCE) else _kill(start.pid)
        start.close()
        return forced


def _kill(guardian: int) -> str:
    from envspec.agent.tree import kill_tree
    from envspec.units import format_seconds

    kill_tree(guardian)
    return (
        f"the agent had not ended {format_seconds(PATIENCE)} after it was let go, so it was killed with everything "
        "that it ran: it, or its guardian, was stopped, as by SIGSTOP, or hangs"
    )


async def _ends(pid: int, patience: float) -> bool:
    """Wait for a child to end, and return whether it did within `patience` seconds.

    Not in an executor's thread: at the exit of the interpreter there are none any more.
    """
    import asyncio

    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    descriptor = os.pidfd_open(pid)
    loop.add_reader(descriptor, ended.cancel)  # unlike set_result, it may be called twice
    try:
        done, _ = await asyncio.wait([ended], timeout=patience)
        return bool(done)
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _leave_streams_to_the_parent() -> None:
    """Close our copies in a forked child: the agent would else not see the stream end when the parent dies.

    Only descriptors, not transports: the child's copy of the event loop shares its epoll set with the parent's.
    """
    for stream in tuple(_streams):
        stream.close()


os.register_at_fork(after_in_child=_leave_streams_to_the_parent)
