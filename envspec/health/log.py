"""`log`: a line of the replica's own log matches."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from envspec.health.base import FIVE_SECONDS, Answer, Context, Validator, excerpt
from envspec.health.values import PositiveDuration

CHUNK = 2**16
LINE_LIMIT = 2**16
"""Bytes of a line that are looked at, at its beginning and at its end: a log with no line ends would else be held in
memory whole."""
MATCH_LIMIT = 0.05
"""Seconds of the processor that a pattern may take on one line; most take microseconds."""
SCAN_LIMIT = 2**20
"""Bytes read by one `scan`, so that a flood does not hold up the agent's only thread."""


class Log(Validator):
    """A line that the replica printed since its start matches. It is sought line by line."""

    match: str
    """A regular expression, found anywhere within a line; `^` and `$` are the line's ends. Of a line beyond 64 KiB,
    its first and its last 64 KiB are looked at. A pattern that takes longer than 50 ms on one line is given up."""
    timeout: PositiveDuration = FIVE_SECONDS
    """How long one attempt may take."""

    def probe(self, context: Context) -> Answer:
        """Read what is new since the last try."""
        scanner: LogScanner = context.kept.setdefault(
            self.match, LogScanner(context.log, context.log_start, self.match)
        )
        deadline = time.monotonic() + context.timeout
        scan = partial(context.bounded, self.match, MATCH_LIMIT, scanner.scan, lambda: scanner.looks)
        while (line := scan()) is None and scanner.behind and time.monotonic() < deadline:
            pass
        return found(line, self.match)


def found(line: str | None, match: str) -> Answer:
    """Return the answer to a scan that gave `line`."""
    if line is None:
        return Answer(passed=False, text=f"no line matches {match!r} yet")
    return Answer(passed=True, text=excerpt(line.encode()))


class LogScanner:
    """Looks through a growing file for the first line that matches, reading every byte once.

    `behind` says that the last `scan` stopped at its bound, with more to read; `looks` counts the lines looked at, by
    which one that takes long is told from many.
    """

    def __init__(self, path: str, start: int, match: str) -> None:
        self._path = Path(path)
        self._offset = start
        self._pattern = re.compile(match)
        self._pending = b""
        self._cut = False
        self._settled = True
        self._found: str | None = None
        self.behind = False
        self.looks = 0

    def scan(self, limit: int = SCAN_LIMIT) -> str | None:
        """Read at most `limit` new bytes; return the first line that matches, or None.

        What was found stays found, and nothing more is read. A last line without an end is looked at when nothing
        comes after it any more: half of a line may match what the whole does not.
        """
        if self._found is None:
            # The service may have put anything in its place: a FIFO must not be waited for, a directory is no answer.
            with suppress(OSError), os.fdopen(os.open(self._path, os.O_RDONLY | os.O_NONBLOCK), "rb", 0) as log:
                self._found = self._scan(log.fileno(), limit)
        return self._found

    def _scan(self, log: int, left: int) -> str | None:
        quiet = True
        while left > 0:
            chunk = self._read(log, min(CHUNK, left))
            left -= len(chunk)
            if not chunk:
                self.behind = False
                return self._match_unfinished() if quiet else None
            quiet = self._settled = False
            for line, cut in self._lines(chunk):
                if (text := self._match(line, cut=cut)) is not None:
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

    def _match_unfinished(self) -> str | None:
        if self._settled:
            return None  # it has been looked at as it is
        self._settled = True
        return self._match(self._pending, cut=self._cut)

    def _lines(self, chunk: bytes) -> Iterator[tuple[bytes, bool]]:
        """Give what is to be looked at, and whether its beginning is cut: lines, and of one too long its beginning."""
        *lines, rest = (self._pending + chunk).split(b"\n")
        for line in lines:
            yield line, self._cut
            self._cut = False
        if len(rest) > LINE_LIMIT:
            if not self._cut:
                yield rest[:LINE_LIMIT], False
            # One more than is looked at, which tells the pattern that the line does not begin here.
            rest, self._cut = rest[-LINE_LIMIT - 1 :], True
        self._pending = rest

    def _match(self, line: bytes, *, cut: bool) -> str | None:
        self.looks += 1
        text = None if cut else self._match_beginning(line)
        return self._match_end(line) if text is None and (cut or len(line) > LINE_LIMIT) else text

    def _match_beginning(self, line: bytes) -> str | None:
        text = _text(line[:LINE_LIMIT])
        return text if self._pattern.search(text) else None

    def _match_end(self, line: bytes) -> str | None:
        text = _text(line[-LINE_LIMIT - 1 :])
        found = self._pattern.search(text, 1)  # unlike a slice, this keeps `^` from matching there
        return f"… {text[found.start() :]}" if found else None


def _text(line: bytes) -> str:
    return line.rstrip(b"\r").decode("utf-8", "replace")
