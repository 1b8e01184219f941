"""Logs as files on this machine: services write them themselves, so they are read where they are.

`envspec.session.control.Control` has the same `log`, for when a node is not this machine.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping

from envspec.session.log_chunk import LogChunk


class LogFiles:
    """The logs of a session by replica: paths that need not exist yet."""

    def __init__(self, paths: Mapping[str, str]) -> None:
        self._paths = paths

    def log(self, replica: str, offset: int, limit: int) -> LogChunk:
        """Return a piece of a log; what was given back to the disk at its begin is left out."""
        try:
            descriptor = os.open(self._paths[replica], os.O_RDONLY)
        except FileNotFoundError:
            return LogChunk(b"", 0, 0)
        try:
            size = os.fstat(descriptor).st_size
            start = _first_byte(descriptor, size)
            begin = max(start, size + offset if offset < 0 else offset)
            return LogChunk(os.pread(descriptor, limit, begin), begin, size, start)
        finally:
            os.close(descriptor)


def _first_byte(descriptor: int, size: int) -> int:
    """Return the first offset whose bytes are there; `size` where none are, as in a log that `truncate` made longer."""
    try:
        return os.lseek(descriptor, 0, os.SEEK_DATA) if size else 0
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return size
