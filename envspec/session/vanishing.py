"""Noticing that a session cannot be found any more: temporary files were cleaned, or a test's directory removed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

LOOK_AGAIN = 2.0
"""Seconds between looks: so long it runs on for nobody, at the cost of a stat."""


def when_vanished(path: Path, act: Callable[[], None]) -> None:
    """Call `act` once `path` is gone, or something else has come in its place. To be called in a running event loop."""
    loop = asyncio.get_running_loop()
    first = _inode(path)

    def look() -> None:
        if first is not None and _inode(path, first) == first:
            loop.call_later(LOOK_AGAIN, look)
        else:
            act()

    look()


def _inode(path: Path, otherwise: int | None = None) -> int | None:
    """Return what is at `path` now, None for nothing; `otherwise` where that cannot be said."""
    try:
        return path.stat().st_ino
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return otherwise  # a network file system that is away for a while
