"""How far a model is: bytes of all its files together, told now and then, not for each block."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from envspec.models.source import Progress, Tell

_EVERY = 0.1  # seconds


class AbandonedError(Exception):
    """Another file of the same model failed, so this one is of no use."""


_under_way: set[ModelProgress] = set()


def abandon_all(patience: float) -> None:
    """Give up all downloads of this process, and wait so many seconds for them to see that and clear up.

    Those for which no byte comes do not see it.
    """
    downloads, deadline = tuple(_under_way), time.monotonic() + patience
    for download in downloads:
        download.abandoned.set()
    for download in downloads:
        download.ended.wait(max(0.0, deadline - time.monotonic()))


class ModelProgress:
    """The bytes of one model."""

    def __init__(self, total: int, tell: Tell) -> None:
        self.abandoned, self.ended = threading.Event(), threading.Event()
        self.downloaded = 0
        self._done, self._total, self._tell = 0, total, tell
        self._lock, self._told = threading.Lock(), 0.0

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Let `abandon_all` know of it within the block."""
        _under_way.add(self)
        try:
            yield
        finally:
            _under_way.discard(self)
            self.ended.set()

    def add(self, count: int, *, downloaded: bool = True) -> None:
        """Count bytes that are here, or fewer than was thought where `count` is negative."""
        with self._lock:
            self._done += count
            self.downloaded += count if downloaded else 0
            now = time.monotonic()
            if now - self._told < _EVERY and self._done < self._total:
                return
            self._told = now
            self._tell(Progress(self._done, self._total, max(0, self._done - self.downloaded)))


class FileProgress:
    """The bytes of one file, which may have to be taken back."""

    def __init__(self, model: ModelProgress) -> None:
        self._model, self._done = model, 0

    def add(self, count: int) -> None:
        """Count bytes that came.

        Raises:
            AbandonedError: no more of them are wanted.
        """
        if self._model.abandoned.is_set():
            raise AbandonedError
        self._done += count
        self._model.add(count)

    def settle(self, size: int) -> None:
        """Count the file as `size` bytes, whatever was counted on the way; a file that was cached never came."""
        if self._done != size:
            self._model.add(size - self._done, downloaded=self._done > 0)
            self._done = size


def bar_of(progress: FileProgress) -> type[Any]:
    """Return a class that huggingface_hub takes for tqdm's, as long as it does no more than it does to its own."""

    class Bar:
        total = n = 0

        def __init__(self, *_: object, **__: object) -> None:
            pass

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def update(self, count: float | None = 1) -> None:
            progress.add(int(count or 0))

        def ignore(self, *_: object, **__: object) -> None:
            pass

        # Xet tells what came over the line apart from what was written; the second is what counts.
        update_transfer = set_postfix_str = set_transfer_postfix_str = set_description_str = ignore
        refresh = close = ignore

    return Bar
