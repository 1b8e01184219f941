"""Making a directory of files once: whole or not at all, by one process while others wait."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from envspec.errors import ModelUnavailableError
from envspec.models.lock import only_one
from envspec.models.source import Tell

_TRIES = 100  # to remove a directory that a thread goes on filling; once it is gone, the thread makes no other
_making: set[Path] = set()


def remove_staged() -> None:
    """Remove what this process is making, as it is about to end in the midst of it."""
    for _ in range(_TRIES):
        staged = [left for path in tuple(_making) for left in staged_for(path)]
        for left in staged:
            shutil.rmtree(left, ignore_errors=True)
        if not staged:
            return


def make_once(
    path: Path, is_complete: Callable[[Path], bool], write: Callable[[Path], None], tell: Tell = lambda _: None
) -> bool:
    """Have `write` fill an empty directory and rename it to `path`, unless `path` is complete already.

    Whoever comes while another process writes waits, tells for whom, and then finds the work done. A process that is
    killed leaves nothing at `path`; what it had staged beside it is removed by the next. Returns whether `write` was
    called.

    Raises:
        ModelUnavailableError: the directory cannot be written: full, read-only or another user's.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with only_one([lock_beside(path)], tell, os.environ.get("ENVSPEC_SESSION", "")):
            missing = not is_complete(path)
            if missing:
                _replace(path, write)
    except OSError as error:
        raise ModelUnavailableError(
            f"the model's files cannot be written to {path}: {error.strerror or error}",
            hint="make room there, or set ENVSPEC_CACHE_DIR to a directory that can be written",
        ) from error
    return missing


def lock_beside(path: Path) -> Path:
    """Return what is locked while a directory is made."""
    return path.with_name(f".{path.name}.lock")


def staged_for(path: Path) -> list[Path]:
    """Return what is being made, or was when its maker was killed, to become `path`."""
    return sorted(path.parent.glob(f"{_prefix(path)}*"))


def _replace(path: Path, write: Callable[[Path], None]) -> None:
    for left_behind in staged_for(path):
        shutil.rmtree(left_behind)  # its maker is dead, for we have the lock
    _making.add(path)
    staged = Path(tempfile.mkdtemp(prefix=_prefix(path), dir=path.parent))
    try:
        write(staged)
        staged.chmod(0o755)  # mkdtemp makes it private, yet a service may run as another user
        if path.exists():
            shutil.rmtree(path)  # incomplete, so of no use to anybody
        staged.rename(path)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    finally:
        _making.discard(path)


def _prefix(path: Path) -> str:
    return f".{path.name}.part-"
