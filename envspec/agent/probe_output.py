"""Catches what a probe prints, thread by thread, so that nothing of it gets among the prober's messages."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LIMIT = 2**14
"""Characters that are kept of one attempt's prints."""


class ThreadOutput(io.TextIOBase):
    """Stands in for `sys.stdout` and `sys.stderr`: each thread's prints go to that thread's own buffer.

    What a thread prints outside of `captured`, one that was given up for instance, goes to the prober's stderr.
    """

    def __init__(self) -> None:
        self._local = threading.local()

    def install(self) -> None:
        """Take the place of both streams, for the rest of the process."""
        sys.stdout = sys.stderr = self

    @contextmanager
    def captured(self) -> Iterator[list[str]]:
        """Collect what this thread prints within the block."""
        printed: list[str] = []
        self._local.printed = printed
        try:
            yield printed
        finally:
            self._local.printed = None

    def write(self, text: str) -> int:
        """Keep `text` for the attempt that printed it, as long as there is not too much."""
        printed: list[str] | None = getattr(self._local, "printed", None)
        if printed is None and sys.__stderr__ is not None:
            sys.__stderr__.write(text)
        elif printed is not None and sum(map(len, printed)) < LIMIT:
            printed.append(text[:LIMIT])
        return len(text)

    def writable(self) -> bool:
        """Say that it can be written to, as whoever wraps a stream asks."""
        return True
