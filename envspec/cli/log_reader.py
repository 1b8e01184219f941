"""Reading replicas' logs line by line, from a running session or from what it left on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from envspec.plan.redact import redacted
from envspec.session.harmless import harmless
from envspec.session.log_chunk import LogChunk

CHUNK = 65536
"""Bytes asked for at once: the most that the agent gives in one answer."""
LONGEST_LINE = 4096
"""Bytes after which a line is shown although it has not ended: some programs write megabytes without a newline."""


class Logs(Protocol):
    """Where logs are read from."""

    def log(self, replica: str, offset: int, limit: int) -> LogChunk:
        """Return a piece of a log; a negative `offset` counts from the end."""


class LogReader:
    """Reads one replica's log, from its last `tail` lines on, or from its begin. Lines come without `secrets`.

    `truncated` is called with the replica's name when the log has become shorter than what was read of it.
    """

    def __init__(
        self,
        logs: Logs,
        replica: str,
        tail: int | None,
        secrets: tuple[str, ...] = (),
        truncated: Callable[[str], None] = lambda _replica: None,
    ) -> None:
        self.replica = replica
        self._truncated = truncated
        self._secrets = secrets
        self._logs = logs
        self._rest = b""
        self._offset = 0 if tail is None else self._offset_of_last(tail)

    def lines(self) -> Iterator[str]:
        """Yield whole lines that have come since the last call, harmless for a terminal.

        What comes meanwhile is for the next call: who writes without pause would be read for ever.
        """
        chunk = self._next()
        if chunk.size < self._offset:
            yield from self.last()
            self._offset = 0
            self._truncated(self.replica)
            chunk = self._next()
        end = chunk.size
        while chunk.data:
            # What was given back to the disk is skipped: the log then goes on at its first byte that is still there.
            self._offset = chunk.end
            *whole, self._rest = (self._rest + chunk.data).split(b"\n")
            yield from map(self._shown, whole)
            if len(self._rest) > LONGEST_LINE:
                yield self._flushed()
            if self._offset >= end:
                return
            chunk = self._next()

    def _next(self) -> LogChunk:
        return self._logs.log(self.replica, self._offset, CHUNK)

    def last(self) -> Iterator[str]:
        """Yield what is left when nothing more will come: a last line without a newline."""
        if self._rest:
            yield self._flushed()

    def _flushed(self) -> str:
        rest, self._rest = self._rest, b""
        return self._shown(rest)

    def _shown(self, line: bytes) -> str:
        return str(redacted(readable(line), self._secrets))

    def _offset_of_last(self, lines: int) -> int:
        """Return where the last `lines` lines begin."""
        end = self._logs.log(self.replica, 0, 0).size
        first, begin = self._logs.log(self.replica, 0, 0).start, end
        tail = b""
        while begin > first and tail.count(b"\n") <= lines:
            chunk = self._logs.log(self.replica, max(first, begin - CHUNK), min(CHUNK, begin - first))
            begin, tail = chunk.offset, chunk.data + tail
        kept = tail.splitlines(keepends=True)[-lines:] if lines else []
        return end - sum(map(len, kept))


def readable(line: bytes) -> str:
    """Return a line as text: what a terminal would show of it, and nothing that it would obey."""
    # A carriage return starts the line anew (progress bars); only what was left to be seen counts.
    return harmless(line.decode(errors="replace").rstrip("\r").rpartition("\r")[2])
