"""Runs the commands of `exec` validators, and leaves nothing of them behind.

Nothing here may block longer than the attempt: a command's children may hold its output open for ever, so the end of
the command counts, not the end of the output.
"""

from __future__ import annotations

import itertools
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from envspec.agent.family import PROBE_TAG, tags
from envspec.agent.tree import descendants, send, send_group
from envspec.health.base import CommandTimeoutError

OUTPUT_LIMIT = 2**16
"""Bytes of output that are kept, the last ones."""


class Commands:
    """Runs commands, from any thread, and knows which are running."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._running: set[int] = set()
        self._spawning = threading.Lock()
        self._closed = False

    def run(self, argv: Sequence[str], env: Mapping[str, str], cwd: str, timeout: float) -> tuple[int, bytes]:
        """Run a command to its end and return its exit code (negative: the signal that ended it) and its last output.

        Whatever is left in its process group afterwards is killed.

        Raises:
            CommandTimeoutError: it took longer than `timeout` seconds; it and everything that came of it were killed.
            OSError: it could not be started.
        """
        tag = f"{os.getpid()}-{next(self._numbers)}"
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb", buffering=0):
            try:
                process = self._spawn(argv, {**env, PROBE_TAG: tag}, cwd, writer)
            finally:
                os.close(writer)
            try:
                return _await(process, reader, tag, time.monotonic() + timeout)
            finally:
                self._running.discard(process.pid)

    def close(self) -> None:
        """Kill what is being run, with all that descends from it, and start nothing any more."""
        with self._spawning:
            self._closed = True
            for pid in tuple(self._running):
                _kill_tree(pid)

    def _spawn(self, argv: Sequence[str], env: Mapping[str, str], cwd: str, output: int) -> subprocess.Popen[bytes]:
        # Locked, so that `close` never comes between a spawn and its being known.
        with self._spawning:
            if self._closed:
                message = "the prober is closing"
                raise OSError(message)
            process = subprocess.Popen(
                argv,
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            self._running.add(process.pid)
        return process


def _await(process: subprocess.Popen[bytes], reader: int, tag: str, deadline: float) -> tuple[int, bytes]:
    ended = os.pidfd_open(process.pid)
    try:
        output, in_time = _collect(ended, reader, deadline)
    finally:
        os.close(ended)
    if in_time:
        # Not reaped yet, so its number is still that of its group.
        send_group(process.pid, signal.SIGKILL)
        return process.wait(), output
    _kill_tree(process.pid)
    _kill_tagged(tag)
    process.wait()
    raise CommandTimeoutError(output)


def _collect(ended: int, reader: int, deadline: float) -> tuple[bytes, bool]:
    """Read output until the process has ended; return its last bytes, and whether that was before the deadline."""
    os.set_blocking(reader, False)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(reader, select.POLLIN)
    output = b""
    while (left := deadline - time.monotonic()) > 0:
        ready = [descriptor for descriptor, _ in poll.poll(left * 1000)]
        # One read empties the pipe, so after the end of the command this has all that it wrote.
        chunk = _read(reader)
        output = (output + (chunk or b""))[-OUTPUT_LIMIT:]
        if ended in ready:
            return output, True
        if chunk == b"" and reader in ready:
            poll.unregister(reader)
    return output, False


def _read(reader: int) -> bytes | None:
    """Return what has come: nothing (b"") at the end, None where nothing has come yet."""
    try:
        return os.read(reader, OUTPUT_LIMIT)
    except BlockingIOError:
        return None


def _kill_tree(leader: int) -> None:
    tree = descendants(leader)
    send_group(leader, signal.SIGKILL)
    for pid in (leader, *tree):
        send(pid, signal.SIGKILL)


def _kill_tagged(tag: str) -> None:
    """Kill what has daemonised out of the tree, by the tag in its environment."""
    for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        if tags(pid).get(PROBE_TAG) == tag:
            send(pid, signal.SIGKILL)
