"""What killed downloads left in the cache: `blobs/DIGEST.RANDOM.incomplete`.

huggingface_hub never takes one up again, so none is ever trusted, but nor does it remove them. Whoever downloads a
blob, envspec or not, holds the flock of `.locks/REPO/DIGEST.lock` meanwhile: where that is free, the writer is dead.
Not so on file systems of several machines, whose locks may end at the machine; there a file must have rested a day.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_LOCAL = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "tmpfs", "overlay", "bcachefs"})
_RESTED = 86400.0  # seconds


def remove_leftovers(repo_folder: Path) -> int:
    """Remove partial files that nobody writes any more, and return how many bytes that gives back."""
    return sum(remove_if_left(path) for path in sorted((repo_folder / "blobs").glob("*.incomplete")))


def is_left(partial: Path) -> bool:
    """Tell whether nobody writes a partial file any more."""
    with suppress(OSError), _of_nobody(partial) as left:
        return left
    return False


def remove_if_left(partial: Path) -> int:
    """Remove a partial file unless somebody writes it, and return how many bytes that gives back."""
    with suppress(OSError), _of_nobody(partial) as left:
        if left:
            size = partial.stat().st_size
            partial.unlink()
            return size
    return 0


def digest_of(partial: Path) -> str:
    """Return the name that the file would have had in the end."""
    return partial.name.partition(".")[0]


class Own:
    """The partial files that this process has begun, as it is about to end in the midst of writing them.

    Neither their names nor their beginning are huggingface_hub's to tell, and some are open to nobody as we look:
    hence the audit hook (PEP 578), which hears of every file before it is opened.
    """

    def __init__(self) -> None:
        self._begun: set[str] = set()
        self._over = False
        sys.addaudithook(self._hear)

    def remove(self) -> None:
        """Remove them, and let no other begin."""
        self._over = True
        for path in tuple(self._begun):
            with suppress(OSError):
                Path(path).unlink()

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and str(arguments[0]).endswith(".incomplete"):
            if self._over:
                raise InterruptedError
            self._begun.add(str(arguments[0]))


@contextmanager
def _of_nobody(partial: Path) -> Iterator[bool]:
    """Tell whether a partial file has no writer, and let none come within the block."""
    folder = partial.parent.parent
    oldest = float("inf") if _is_local(folder) else time.time() - _RESTED
    with _locked(folder.parent / ".locks" / folder.name / f"{digest_of(partial)}.lock") as alone:
        yield alone and partial.stat().st_mtime < oldest


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Take a lock if it is free; False if it is not. One that was never made is held by nobody."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o664)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)


def _is_local(path: Path) -> bool:
    """Tell whether a directory is on a disk of this machine alone, by the mount that it is under."""
    with suppress(OSError, ValueError):
        mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        under = [fields for fields in mounts if path.resolve().is_relative_to(fields[4])]
        nearest = max(under, key=lambda fields: len(fields[4]))
        return nearest[nearest.index("-") + 1] in _LOCAL
    return False
