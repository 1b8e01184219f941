"""The one place where the files of an environment are opened: whoever wants to know which they are, asks here."""

from __future__ import annotations

import errno
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_noted: ContextVar[dict[str, bytes] | None] = ContextVar("_noted", default=None)


STREAMS = (Path("/dev"), Path("/proc"))
"""Where what a process was given has its names: /dev/stdin, and the /dev/fd/63 of a shell's `<(command)`."""


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
        OSError: it cannot be read, or is a pipe, socket or device: whoever waits for such to be written to may wait
            for ever.
    """
    _check_kind(file)
    with file.open("rb") as stream:
        data = stream.read(limit)
    files = _noted.get()
    if files is not None:
        files[str(file.absolute())] = data
    return data


def _check_kind(file: Path) -> None:
    mode = file.stat().st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):  # open() has a word of its own for a directory
        return
    if not any(place in file.resolve().parents for place in STREAMS):
        raise OSError(errno.EINVAL, "it is no regular file", str(file))
