"""Writing the texts of files whole or not at all: a full disk leaves them as they were.

Each is written in place, so that symbolic and hard links, mode and owner stay. What is longer than before comes first,
behind all that is there: it takes all the room that there is to take, and cutting it off is the file as it was.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from envspec.errors import UsageError


def write_all(texts: Mapping[str, str]) -> None:
    """Write new texts into files that are there, all or none.

    Raises:
        UsageError: one cannot be written; says which, and that it is unchanged.
    """
    before: dict[str, bytes] = {}
    file = ""
    try:
        for file, text in texts.items():
            before[file] = Path(file).read_bytes()
            _overwrite(file, text.encode(), len(before[file]))
    except BaseException as error:  # an interrupt, too, must leave none of them half written
        lost = [each for each, content in before.items() if not _is_restored(each, content)]
        if isinstance(error, OSError):
            raise _unwritten(file, error, lost) from error
        raise


def _overwrite(file: str, content: bytes, size: int) -> None:
    descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    try:
        _write(descriptor, content, size)
        os.fsync(descriptor)  # some file systems find out only now that they have no room
        _write(descriptor, content[:size], 0)
        os.ftruncate(descriptor, len(content))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(descriptor: int, content: bytes, begin: int) -> None:
    """Write what of `content` lies behind `begin`, where it belongs."""
    while begin < len(content):
        begin += os.pwrite(descriptor, content[begin:], begin)


def _is_restored(file: str, content: bytes) -> bool:
    with suppress(OSError):
        if Path(file).read_bytes() == content:
            return True
        descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, len(content))
            _write(descriptor, content, 0)
        finally:
            os.close(descriptor)
    with suppress(OSError):
        return Path(file).read_bytes() == content
    return False


def _unwritten(file: str, error: OSError, lost: list[str]) -> UsageError:
    kept = f"{', '.join(lost)} could not be restored" if lost else "it is unchanged"
    return UsageError(
        f"{file} cannot be written: {error.strerror or error}; {kept}",
        hint="make room there, or see who may write it, and pin again",
    )
