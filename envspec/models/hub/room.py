"""Whether there is room for a download, said before the first byte of it."""

from __future__ import annotations

import shutil
from pathlib import Path

from envspec.errors import ModelUnavailableError
from envspec.units import format_size


def check_room(needed: int, folder: Path, what: str) -> None:
    """See that `needed` bytes fit where `folder` is or will be.

    Raises:
        ModelUnavailableError: they do not; says both figures.
    """
    existing = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise ModelUnavailableError(
            f"{what} needs {format_size(needed)}, {format_size(free)} are free in {existing}",
            hint="make room there (`envspec models prune`), or set HF_HUB_CACHE to a directory with room",
        )
