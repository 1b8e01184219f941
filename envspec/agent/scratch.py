"""A session's temporary directory: short enough for the 108 bytes of a Unix socket's path."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

LONGEST_PARENT = 40
"""Characters that `TMPDIR` may have. With more (macOS, some CI) sockets in it could not be bound, so /tmp is used."""


class Scratch(NamedTuple):
    """The directory's path. Chosen by the guardian, made by the agent, removed by whichever of them ends last."""

    path: Path

    @classmethod
    def choose(cls) -> Scratch:
        """Return a path that nobody has, and nobody can guess beforehand."""
        parent = os.environ.get("TMPDIR", "/tmp")  # noqa: S108  mkdtemp's default; the name below is random
        if len(parent) > LONGEST_PARENT or not os.access(parent, os.W_OK):
            parent = "/tmp"  # noqa: S108
        return cls(Path(parent) / f"es-{os.urandom(5).hex()}")

    def make(self) -> None:
        """Create it, for this user alone.

        Raises:
            FileExistsError: somebody else made it; ours is never one that was there.
        """
        self.path.mkdir(mode=0o700)

    def remove(self) -> None:
        """Remove it and what is in it, as far as possible."""
        if self.path.exists():
            from shutil import rmtree  # 4 ms, and only at the very end

            rmtree(self.path, ignore_errors=True)
