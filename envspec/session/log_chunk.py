"""A piece of a replica's log."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from envspec.record import Record


class LogChunk(Record):
    """A piece of a log: `offset` is where `data` begins, `size` the whole log's size when it was read.

    `start` is the first offset whose bytes are still there: what is before was given back to the disk.
    """

    data: bytes
    offset: int
    size: int
    start: int = 0

    @property
    def end(self) -> int:
        """The offset after `data`, where reading goes on."""
        return self.offset + len(self.data)


def read_file(path: Path, offset: int, limit: int) -> LogChunk:
    """Return a piece of a log whose agent cannot be asked; a negative `offset` counts from the end.

    Raises:
        OSError: it is gone.
    """
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        start = 0
        with suppress(OSError):  # it is empty, or the file system knows no holes
            start = os.lseek(file.fileno(), 0, os.SEEK_DATA)
        begin = max(start, size + offset if offset < 0 else offset)
        return LogChunk(os.pread(file.fileno(), limit, begin), begin, size, start)
