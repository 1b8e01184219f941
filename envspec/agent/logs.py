"""Each replica's output: one file that the service itself appends to. The agent only watches its size.

Nothing stands between a service and its log, so a flood costs the agent nothing and a slow reader blocks nobody. What
the file takes of the disk is bounded by punching holes in its beginning: its size grows, and offsets stay true.
"""

from __future__ import annotations

import base64
import os
import time
from bisect import bisect_right
from pathlib import Path

from envspec.agent.calls import Call, Node
from envspec.agent.linux import punch_hole
from envspec.agent.storage import writing

PERIOD = 0.02
"""Seconds between two looks at the sizes: how exactly a moment can be found in a log."""
BOUND = 64 * 2**20
"""Bytes of a log that stay on disk, the latest ones."""
BLOCK = 4096
CHUNK_LIMIT = 65536
INDEX_LIMIT = 20_000
"""Entries of an index, 400 s of uninterrupted output; beyond it every second one of the older half goes."""


class Log:
    """One log file, with an index of (epoch seconds, size)."""

    def __init__(self, path: Path, bound: int = BOUND) -> None:
        self.path = path
        self.size = 0
        self.start = 0
        self._bound = bound
        self._times: list[float] = []
        self._sizes: list[int] = []
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self.sample()

    def open_for_service(self) -> int:
        """Return a new descriptor that appends, for a service's stdout and stderr.

        It is of the file that we read, whatever has its name by now: to open a FIFO would wait for its reader.

        Raises:
            StateDirectoryError: the file cannot be opened.
        """
        with writing(self.path):
            return os.open(f"/proc/self/fd/{self._descriptor}", os.O_WRONLY | os.O_APPEND)

    def sample(self) -> None:
        """Note the size, if it has changed, and give the disk back what exceeds the bound.

        Raises:
            OSError: the file system has no holes.
        """
        size = os.fstat(self._descriptor).st_size
        if size == self.size:
            return
        self.size = size
        self._times.append(time.time())
        self._sizes.append(size)
        if len(self._times) > INDEX_LIMIT:
            half = INDEX_LIMIT // 2
            self._times[:half] = self._times[:half:2]
            self._sizes[:half] = self._sizes[:half:2]
        if size - self.start > self._bound:
            self._punch(size)

    def _punch(self, size: int) -> None:
        """Keep three quarters of the bound, so that a flood is not punched at every look."""
        start = (size - self._bound * 3 // 4) // BLOCK * BLOCK
        punch_hole(self._descriptor, self.start, start - self.start)
        self.start = start

    def read(self, offset: int, limit: int) -> tuple[bytes, int]:
        """Return bytes and the offset they begin at: later than asked where that is punched out."""
        self.sample()
        begin = max(self.start, self.size + offset if offset < 0 else offset)
        return os.pread(self._descriptor, max(0, limit), begin), begin

    def offset_at(self, moment: float) -> int:
        """Return how long the file was at an epoch time, to PERIOD; 0 before anything was written."""
        self.sample()
        index = bisect_right(self._times, moment)
        return self._sizes[index - 1] if index else 0


class Logs:
    """All logs of a node, sampled together, and the verbs that read them."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._logs: dict[str, Log] = {}
        self._unbounded: set[str] = set()

    def open(self, replica: str, path: str) -> Log:
        """Return a replica's log, which it keeps across restarts.

        Raises:
            StateDirectoryError: the file cannot be made.
        """
        if not self._logs:
            self._node.loop.after(PERIOD, self._tick)
        if replica not in self._logs:
            self._logs[replica] = Log(Path(path))
        return self._logs[replica]

    def log(self, call: Call) -> None:
        """Verb: bytes of a replica's log, base64, at most 64 KiB. A negative offset counts from the end."""
        log = self._logs.get(call["replica"])
        if log is None:
            call.reply(data="", offset=0, size=0, start=0)
            return
        data, offset = log.read(int(call["offset"]), min(int(call["limit"]), CHUNK_LIMIT))
        call.reply(data=base64.b64encode(data).decode(), offset=offset, size=log.size, start=log.start)

    def log_at(self, call: Call) -> None:
        """Verb: the length that a replica's log had at an epoch time."""
        log = self._logs.get(call["replica"])
        call.reply(offset=log.offset_at(float(call["time"])) if log else 0)

    def _tick(self) -> None:
        for replica, log in self._logs.items():
            try:
                log.sample()
            except OSError as error:
                self._warn(replica, log, error)
        # Strays, whose end no pidfd announces.
        self._node.reaper.reap()
        self._node.loop.after(PERIOD, self._tick)

    def _warn(self, replica: str, log: Log, error: OSError) -> None:
        if replica not in self._unbounded:
            self._unbounded.add(replica)
            message = f"the log {log.path} cannot be kept below {BOUND // 2**20} MiB: {error.strerror}"
            self._node.notify("warning", replica=replica, message=message)
