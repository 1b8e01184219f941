"""A child of the agent's own that speaks JSON lines over stdin and stdout: the prober, the fetcher."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from envspec.agent.calls import Node
from envspec.agent.loop import WRITE
from envspec.agent.processes import Command, spawn
from envspec.agent.reaper import Exit
from envspec.agent.storage import writing
from envspec.agent.tree import send
from envspec.agent.wire import Message, OutputQueue, Splitter, WireError, decode

CHUNK = 65536


class Program(NamedTuple):
    """What to run; `log` takes its stderr. It has our environment, and `env` beside it."""

    argv: tuple[str, ...]
    cwd: str
    log: Path
    env: Mapping[str, str] = MappingProxyType({})


class PipedChild:
    """A running program. Lines of its stdout that are no JSON objects are left out: libraries print, too."""

    def __init__(
        self, node: Node, program: Program, on_message: Callable[[Message], None], on_exit: Callable[[Exit], None]
    ) -> None:
        self._loop = node.loop
        self._on_message = on_message
        self._on_exit = on_exit
        self._splitter = Splitter()
        self._queue = OutputQueue()
        theirs_in, self._stdin = os.pipe()
        self._stdout, theirs_out = os.pipe()
        try:
            self.pid = self._spawn(program, theirs_in, theirs_out)
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
        node.reaper.adopt(self.pid, self._exited)

    @staticmethod
    def _spawn(program: Program, stdin: int, stdout: int) -> int:
        with writing(program.log):
            log = os.open(program.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            return spawn(Command(program.argv, {**os.environ, **program.env}, program.cwd, stdin, stdout, log))
        finally:
            os.close(log)

    def send(self, message: Message) -> None:
        """Queue a message and write what the pipe takes now."""
        self._queue.put(message)
        self._write()

    def kill(self) -> None:
        """End it at once; `on_exit` is still called."""
        if self._stdin >= 0:
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
                self._on_message(message)

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
        self._on_exit(how)


def last_line(log: Path) -> str:
    """Return the last words of a program's log."""
    try:
        with log.open(errors="replace") as file:
            lines = deque((line.strip() for line in file if line.strip()), maxlen=1)
    except OSError:
        return "its log cannot be read"
    return lines[0] if lines else "it wrote nothing"
