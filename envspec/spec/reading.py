"""The one place where the files of an environment are opened: whoever wants to know which they are, asks here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_noted: ContextVar[dict[str, bytes] | None] = ContextVar("_noted", default=None)


@contextmanager
def noted() -> Iterator[dict[str, bytes]]:
    """Give a mapping that fills with every file that is read inside the block: absolute path → bytes."""
    files: dict[str, bytes] = {}
    token = _noted.set(files)
    try:
        yield files
    finally:
        _noted.reset(token)


def read_bytes(file: Path, limit: int = -1) -> bytes:
    """Return what is in a file, at most `limit` bytes of it.

    Raises:
        OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        data = stream.read(limit)
    files = _noted.get()
    if files is not None:
        files[str(file.absolute())] = data
    return data
