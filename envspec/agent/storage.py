"""Writing below the session's directory, where a disk may be full and a mount read-only."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    """Write a file and the directories above it. Whatever has its name is replaced, and not written to or waited for.

    Raises:
        StateDirectoryError: it cannot be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, text, 0o666)


def replace_json(path: Path, data: Any) -> None:
    """Write a JSON file, only ours to read, so that a reader sees either the old or the new one, never half.

    Raises:
        StateDirectoryError: it cannot be written.
    """
    with writing(path):
        _replace(path, json.dumps(data), 0o600)


def _replace(path: Path, text: str, permissions: int) -> None:
    # A service may have put anything in the way: to open its FIFO would wait for ever, in the agent's only thread.
    draft = path.with_name(f".{os.getpid()}.draft")
    try:
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, permissions)
        with os.fdopen(descriptor, "w", errors="surrogateescape") as file:
            file.write(text)
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error
