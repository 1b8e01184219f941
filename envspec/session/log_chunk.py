"""A piece of a replica's log."""

from __future__ import annotations

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
