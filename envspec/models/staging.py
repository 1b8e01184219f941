"""Making a directory of files once: whole or not at all, by one process while others wait."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from envspec.errors import ModelUnavailableError


def make_once(path: Path, is_complete: Callable[[Path], bool], write: Callable[[Path], None]) -> bool:
    """Have `write` fill an empty directory and rename it to `path`, unless `path` is complete already.

    Whoever comes while another process writes waits, and then finds the work done. A process that is killed leaves
    nothing at `path`; what it had staged beside it is removed by the next. Returns whether `write` was called.

    Raises:
        ModelUnavailableError: the directory cannot be written: full, read-only or another user's.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _lock(path.with_name(f".{path.name}.lock")):
            missing = not is_complete(path)
            if missing:
                _replace(path, write)
    except OSError as error:
        raise ModelUnavailableError(
            f"the model's files cannot be written to {path}: {error.strerror or error}",
            hint="make room there, or set ENVSPEC_CACHE_DIR to a directory that can be written",
        ) from error
    return missing


def _replace(path: Path, write: Callable[[Path], None]) -> None:
    prefix = f".{path.name}.part-"
    for left_behind in path.parent.glob(f"{prefix}*"):
        shutil.rmtree(left_behind)  # its maker is dead, for we have the lock
    staged = Path(tempfile.mkdtemp(prefix=prefix, dir=path.parent))
    try:
        write(staged)
        staged.chmod(0o755)  # mkdtemp makes it private, yet a service may run as another user
        if path.exists():
            shutil.rmtree(path)  # incomplete, so of no use to anybody
        staged.rename(path)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold an advisory lock; the kernel lets go of it when its holder dies. The empty file stays, as it must."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
