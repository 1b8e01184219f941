"""Whether there is room for a download, said before the first byte of it."""

from __future__ import annotations

import shutil
from pathlib import Path

from envspec.errors import ModelUnavailableError


def check_room(needed: int, folder: Path, what: str) -> None:
    """See that `needed` bytes fit where `folder` is or will be.

    Raises:
        ModelUnavailableError: they do not; says both figures.
    """
    existing = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise ModelUnavailableError(
            f"{what} needs {amount(needed)}, {amount(free)} are free in {existing}",
            hint="make room there (`envspec models prune`), or set HF_HUB_CACHE to a directory with room",
        )


def amount(count: int) -> str:
    """Write bytes as people and the hub do, in powers of 1000: "16.1 GB"."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
