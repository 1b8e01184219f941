"""A child of the agent's own that speaks JSON lines over stdin and stdout: the prober, the fetcher."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

from envspec.agent.loop import WRITE, Loop
from envspec.agent.processes import Command, branch, spawn
from envspec.agent.reaper import Exit, Reaper
from envspec.agent.storage import writing
from envspec.agent.tree import send
from envspec.agent.wire import Message, OutputQueue, Splitter, WireError, decode

CHUNK = 65536


class Startable(Protocol):
    """What a child can be made of."""

    def start(self, stdin: int, stdout: int) -> int:
        """Start it and return its pid.

        Raises:
            SpawnError: it cannot be started.
        """


class Program(NamedTuple):
    """What to run; `log` takes its stderr. It has our environment, and `env` beside it."""

    argv: tuple[str, ...]
    cwd: str
    log: Path
    env: Mapping[str, str] = MappingProxyType({})

    def start(self, stdin: int, stdout: int) -> int:
        """Execute it."""
        with writing(self.log):
            log = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            return spawn(Command(self.argv, {**os.environ, **self.env}, self.cwd, stdin, stdout, log))
        finally:
            os.close(log)


class Branch(NamedTuple):
    """A copy of ourselves, called `name`, that does `work`. What it prints to stderr is lost until it says where to."""

    name: str
    work: Callable[[], None]

    def start(self, stdin: int, stdout: int) -> int:
        """Fork."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            return branch(self.work, self.name, stdin, stdout, nowhere)
        finally:
            os.close(nowhere)


class Listener(NamedTuple):
    """Who hears what a program says, and how it ended."""

    on_message: Callable[[Message], None]
    on_exit: Callable[[Exit], None]


UNHEARD = Listener(lambda _message: None, lambda _how: None)


class PipedChild:
    """A running program. Lines of its stdout that are no JSON objects are left out: libraries print, too."""

    def __init__(self, loop: Loop, reaper: Reaper, program: Startable, listener: Listener = UNHEARD) -> None:
        self._loop = loop
        self._listener = listener
        self._splitter = Splitter()
        self._queue = OutputQueue()
        theirs_in, self._stdin = os.pipe()
        self._stdout, theirs_out = os.pipe()
        try:
            self.pid = program.start(theirs_in, theirs_out)
        except BaseException:
            os.close(self._stdin)
            os.close(self._stdout)
            raise
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        os.set_blocking(self._stdin, False)
        os.set_blocking(self._stdout, False)
        self._loop.watch(self._stdout, self._read)
        reaper.adopt(self.pid, self._exited)

    @property
    def runs(self) -> bool:
        """Whether its end has not been seen yet."""
        return self._stdin >= 0

    def hand_over(self, listener: Listener) -> None:
        """Let `listener` hear from now on of what it says, and of its end."""
        self._listener = listener

    def send(self, message: Message) -> None:
        """Queue a message and write what the pipe takes now."""
        self._queue.put(message)
        self._write()

    def terminate(self) -> None:
        """Ask it to end; `on_exit` is called when it has."""
        if self.runs:
            send(self.pid, 15)

    def kill(self) -> None:
        """End it at once; `on_exit` is still called."""
        if self.runs:
            send(self.pid, 9)

    def _write(self) -> None:
        try:
            while self._stdin >= 0 and (head := self._queue.head()):
                self._queue.sent(os.write(self._stdin, head))
        except BlockingIOError:
            self._loop.watch(self._stdin, self._write, WRITE)
        except BrokenPipeError:
            self._loop.forget(self._stdin)  # it is dying; its exit comes next
        else:
            if self._stdin >= 0:
                self._loop.forget(self._stdin)

    def _read(self) -> None:
        """Deliver all that it has written."""
        while data := self._next():
            for line in self._splitter.feed(data):
                try:
                    message = decode(line)
                except WireError:
                    continue
                self._listener.on_message(message)

    def _next(self) -> bytes:
        try:
            data = os.read(self._stdout, CHUNK)
        except BlockingIOError:
            return b""
        if not data:
            self._loop.forget(self._stdout)
        return data

    def _exited(self, how: Exit) -> None:
        self._read()  # its last words may still be in the pipe
        for descriptor in (self._stdin, self._stdout):
            self._loop.forget(descriptor)
            os.close(descriptor)
        self._stdin = -1
        self._listener.on_exit(how)


def last_line(log: Path) -> str:
    """Return the last words of a program's log."""
    try:
        with log.open(errors="replace") as file:
            lines = deque((line.strip() for line in file if line.strip()), maxlen=1)
    except OSError:
        return "its log cannot be read"
    return lines[0] if lines else "it wrote nothing"
