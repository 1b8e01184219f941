"""Whether there is room for a download, said before the first byte of it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from envspec.errors import ModelUnavailableError
from envspec.units import format_size


class _Claim(NamedTuple):
    """A download under way: the disk that it goes to, and how many bytes it still has to write."""

    what: str
    device: int
    left: Callable[[], int]


_claims: list[_Claim] = []
_lock = threading.Lock()


@contextmanager
def room_for(needed: int, folder: Path, what: str, left: Callable[[], int]) -> Iterator[None]:
    """See that `needed` bytes fit where `folder` is or will be, beside all other downloads of this process.

    `left` tells while it runs how many of them are still to come.

    Raises:
        ModelUnavailableError: they do not; says both figures.
    """
    existing = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    claim = _Claim(what, existing.stat().st_dev, left)
    with _lock:
        others = [other for other in _claims if other.device == claim.device and other.left() > 0]
        _check(needed, shutil.disk_usage(existing).free, existing, what, others)
        _claims.append(claim)
    try:
        yield
    finally:
        with _lock:
            _claims.remove(claim)


def _check(needed: int, free: int, place: Path, what: str, others: list[_Claim]) -> None:
    promised = sum(other.left() for other in others)
    if needed <= free - promised:
        return
    names = ", ".join(other.what for other in others)
    beside = f", of which {names} will take {format_size(promised)}" if others else ""
    raise ModelUnavailableError(
        f"{what} needs {format_size(needed)}, {format_size(free)} are free in {place}{beside}",
        hint="make room there (`envspec models prune`), or set HF_HUB_CACHE to a directory with room",
    )
