"""`log`: a line of the replica's own log matches."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from envspec.health.base import FIVE_SECONDS, Answer, Context, Validator, excerpt
from envspec.units import Duration

CHUNK = 2**16
LINE_LIMIT = 2**16
"""Bytes of one line that are looked at. Without a bound, a log with no line ends would be held in memory whole."""
SCAN_LIMIT = 2**20
"""Bytes read by one `scan`, so that a flood does not hold up the agent's only thread."""


@dataclass(frozen=True, kw_only=True)
class Log(Validator):
    """A line that the replica printed since its start matches. It is sought line by line."""

    match: str
    """A regular expression, found anywhere within a line; `^` and `$` are the line's ends."""
    timeout: Duration = FIVE_SECONDS
    """How long one attempt may take."""

    def probe(self, context: Context) -> Answer:
        """Read what is new since the last try."""
        scanner: LogScanner = context.kept.setdefault(
            self.match, LogScanner(context.log, context.log_start, self.match)
        )
        deadline = time.monotonic() + context.timeout
        while (line := scanner.scan()) is None and scanner.behind and time.monotonic() < deadline:
            pass
        return found(line, self.match)


def found(line: str | None, match: str) -> Answer:
    """Return the answer to a scan that gave `line`."""
    if line is None:
        return Answer(passed=False, text=f"no line matches {match!r} yet")
    return Answer(passed=True, text=excerpt(line.encode()))


class LogScanner:
    """Looks through a growing file for the first line that matches, reading every byte once.

    `behind` says that the last `scan` stopped at its bound, with more to read.
    """

    def __init__(self, path: str, start: int, match: str) -> None:
        self._path = Path(path)
        self._offset = start
        self._pattern = re.compile(match)
        self._pending = b""
        self._skipping = False
        self._found: str | None = None
        self.behind = False

    def scan(self, limit: int = SCAN_LIMIT) -> str | None:
        """Read at most `limit` new bytes; return the first line that matches, or None.

        What was found stays found, and nothing more is read. A last line without an end is looked at once nothing
        comes after it any more: half of a line may match what the whole does not.
        """
        if self._found is None:
            with suppress(FileNotFoundError), self._path.open("rb", buffering=0) as log:
                self._found = self._scan(log.fileno(), limit)
        return self._found

    def _scan(self, log: int, left: int) -> str | None:
        quiet = True
        while left > 0:
            chunk = self._read(log, min(CHUNK, left))
            left -= len(chunk)
            if not chunk:
                self.behind = False
                return self._match(self._pending) if quiet and self._pending else None
            quiet = False
            for line in self._lines(chunk):
                if (text := self._match(line)) is not None:
                    return text
        self.behind = True
        return None

    def _read(self, log: int, size: int) -> bytes:
        # The agent bounds the disk by punching holes; a hole is passed over, not read as zeros.
        with suppress(OSError):
            self._offset = max(self._offset, os.lseek(log, self._offset, os.SEEK_DATA))
        chunk = os.pread(log, size, self._offset)
        self._offset += len(chunk)
        return chunk

    def _lines(self, chunk: bytes) -> Iterator[bytes]:
        """Give the lines that are complete, and of one that is too long its beginning."""
        *lines, rest = (self._pending + chunk).split(b"\n")
        if self._skipping and lines:
            del lines[0]
            self._skipping = False
        self._pending = b"" if self._skipping else rest
        if len(self._pending) > LINE_LIMIT:
            lines.append(self._pending)
            self._pending, self._skipping = b"", True
        yield from lines

    def _match(self, line: bytes) -> str | None:
        text = line[:LINE_LIMIT].rstrip(b"\r").decode("utf-8", "replace")
        return text if self._pattern.search(text) else None
