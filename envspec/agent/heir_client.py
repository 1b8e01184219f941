"""The owner's side of its heir: a process that is there only while an engine is loaded, or being loaded."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from envspec.agent.family import OWNER_TAG
from envspec.agent.heir import GOODBYE, LOADED, LOADING, owner_tag
from envspec.agent.launch import launch_heir

PATIENCE = 10.0
"""Seconds for the heir to take note. A load goes on without it: it guards against a death that seldom comes."""


class HeirClient:
    """Tells an heir of our loads, so that nothing of our engines outlives us, however we end."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._stream: socket.socket | None = None
        self._owner = 0

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Leave to the heir what is started within the block."""
        if sys.platform != "linux":
            yield
            return
        self._say(LOADING)
        os.environ[OWNER_TAG] = owner_tag(os.getpid())
        try:
            yield
        finally:
            os.environ.pop(OWNER_TAG, None)
            self._say(LOADED)

    def dismiss(self) -> None:
        """Let the heir go: no engine is loaded. It takes what it knows with it."""
        process, stream = self._process, self._stream
        if stream is None or self._owner != os.getpid():  # a fork has no part in it
            return
        self._process = self._stream = None
        with suppress(OSError), stream:
            stream.send(GOODBYE)
        if process is not None:
            process.wait()

    def _say(self, word: bytes) -> None:
        if word == LOADING and not self._is_there():
            self._start()
        if self._stream is not None:
            with suppress(OSError):  # it was killed; the next load has another
                self._stream.send(word)
                self._stream.recv(1)

    def _is_there(self) -> bool:
        return self._process is not None and self._owner == os.getpid() and self._process.poll() is None

    def _start(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._owner, self._process = os.getpid(), None
        self._stream, theirs = socket.socketpair()
        self._stream.settimeout(PATIENCE)
        with theirs, suppress(OSError):  # where no process can be made, the engine will say so
            self._process = launch_heir(theirs)
