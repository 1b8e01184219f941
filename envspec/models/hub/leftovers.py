"""What killed downloads left in the cache: `blobs/DIGEST.RANDOM.incomplete`.

huggingface_hub never takes one up again, so none is ever trusted, but nor does it remove them. Whoever downloads a
blob, envspec or not, holds the flock of `.locks/REPO/DIGEST.lock` meanwhile: where that is free, the writer is dead.
Not so on file systems of several machines, whose locks may end at the machine; there a file must have rested a day.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_LOCAL = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "tmpfs", "overlay", "bcachefs"})
_RESTED = 86400.0  # seconds


def remove_leftovers(repo_folder: Path) -> int:
    """Remove partial files that nobody writes any more, and return how many bytes that gives back."""
    blobs, freed = repo_folder / "blobs", 0
    locks = repo_folder.parent / ".locks" / repo_folder.name
    oldest = float("inf") if _is_local(repo_folder) else time.time() - _RESTED
    for path in blobs.glob("*.incomplete"):
        digest = path.name.partition(".")[0]
        with suppress(OSError), _locked(locks / f"{digest}.lock") as alone:
            status = path.stat()
            if alone and status.st_mtime < oldest:
                path.unlink()
                freed += status.st_size
    return freed


def remove_own(hub_cache: Path) -> None:
    """Remove the partial files that this process has open, as it is about to end in the midst of writing them."""
    cache = hub_cache.resolve()
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            path = link.readlink()
            if path.suffix == ".incomplete" and path.is_relative_to(cache):
                path.unlink()


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
