"""Weights in the page cache ahead of the engine, so that it loads from memory what would come from the disk."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_BLOCK = 8 * 2**20  # bytes to read at once: the disk's readahead stays busy, and memory hardly notices
_MARGIN = 0.1  # of all memory, left to whatever starts meanwhile
_PAGE = mmap.PAGESIZE
_libc = ctypes.CDLL(None, use_errno=True)


def warm(paths: Iterable[Path], bound: int) -> tuple[int, int]:
    """Read files into the page cache, in the given order, until `bound` bytes more are in memory.

    What is in memory already costs nothing of the bound. A file that does not fit whole is read in part, as an engine
    reads from the start. Returns how many bytes are in memory now, and how many there are in all.

    Raises:
        OSError: a file cannot be read.
    """
    warmed = total = 0
    for path in paths:
        size, before = path.stat().st_size, resident(path)
        total += size
        if before < size and bound > 0:
            _read(path, min(size, before + bound))
            after = resident(path)
            bound -= after - before
            before = after
        warmed += before
    return warmed, total


def resident(path: Path) -> int:
    """Return how many bytes of a file are in the page cache (mincore), 0 where the system does not tell."""
    size = path.stat().st_size
    if not size:
        return 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY) as view:
        pages = (ctypes.c_ubyte * -(-size // _PAGE))()
        first = ctypes.c_char.from_buffer(
            view
        )  # a private, writable view: its address is to be had, nothing is written
        failed = _libc.mincore(ctypes.c_void_p(ctypes.addressof(first)), ctypes.c_size_t(size), pages)
        del first  # else the view could not be closed
    in_memory = bytes(pages).translate(_LOWEST_BIT).count(1)
    return 0 if failed else min(size, in_memory * _PAGE)


def free_memory() -> int:
    """Return how many bytes may be filled: what the kernel or the container's limit has left, less a margin."""
    amounts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    available, everything = (int(amounts[name].split()[0]) * 1024 for name in ("MemAvailable", "MemTotal"))
    limit, used = _container()
    if limit is not None:
        available, everything = min(available, limit - used), min(everything, limit)
    return max(0, available - int(everything * _MARGIN))


_LOWEST_BIT = bytes(value & 1 for value in range(256))  # mincore leaves the other bits of each byte undefined


def _read(path: Path, end: int) -> None:
    block = memoryview(bytearray(_BLOCK))
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # advice; some file systems take none
            os.posix_fadvise(descriptor, 0, end, os.POSIX_FADV_WILLNEED)
        offset = 0
        while offset < end and (count := os.preadv(descriptor, [block[: min(_BLOCK, end - offset)]], offset)):
            offset += count
    finally:
        os.close(descriptor)


def _container() -> tuple[int | None, int]:
    """Return the memory limit of this control group (version 2) and its use, less what can be dropped."""
    folder = Path("/sys/fs/cgroup")
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        folder /= next(line for line in lines if line.startswith("0::"))[3:].lstrip("/")
        limit, used = (folder / "memory.max").read_text().strip(), int((folder / "memory.current").read_text())
        counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return (None if limit == "max" else int(limit)), used - int(counts.get("inactive_file", 0))
    return None, 0
