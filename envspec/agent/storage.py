"""Writing below the session's directory, where a disk may be full and a mount read-only."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_HINTS = {
    errno.ENOSPC: "free some space there, or point ENVSPEC_STATE_DIR at another disk",
    errno.EDQUOT: "your quota there is used up: free some, or point ENVSPEC_STATE_DIR at another disk",
    errno.EROFS: "it is mounted read-only: point ENVSPEC_STATE_DIR at a directory that can be written",
}


@contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Turn what the operating system says against writing `path` into a StateDirectoryError that names it.

    Raises:
        OSError: a lack of descriptors, which is not the path's fault: told as such (envspec.agent.calls).
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise
        from envspec.errors import StateDirectoryError

        place = error.filename or path
        hint = _HINTS.get(error.errno or 0, "point ENVSPEC_STATE_DIR at a directory that can be written")
        raise StateDirectoryError(f"cannot write {place}: {error.strerror}", hint=hint) from error


def write_text(path: Path, text: str) -> None:
    """Write a file and the directories above it.

    Raises:
        StateDirectoryError: it cannot be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, errors="surrogateescape")


def replace_json(path: Path, data: Any) -> None:
    """Write a JSON file, only ours to read, so that a reader sees either the old or the new one, never half.

    Raises:
        StateDirectoryError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with writing(path):
        try:
            with draft.open("w") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(json.dumps(data))
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
