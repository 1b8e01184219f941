"""The file that a command means: the agent executes it, and a session looks first whether it is there.

Beside what spawns, which needs ctypes, for the session imports this before its first process: that is 3 ms less.
"""

from __future__ import annotations

import os
from pathlib import Path

DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"
"""Where commands are sought for a service whose environment has no PATH."""


class SpawnError(Exception):
    """A process could not be started; the text says why, in a sentence without the service's name."""


def find_program(name: str, path: str, cwd: str) -> str:
    """Return the file that a shell would execute for `name`; relative parts of `path` count from `cwd`.

    Raises:
        SpawnError: there is none, or it is a directory or not executable.
    """
    places = [Path(name)] if "/" in name else [Path(part) / name for part in path.split(":")]
    found = [Path(cwd) / place for place in places]
    for candidate in found:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return str(candidate)
    for candidate in found:
        if candidate.is_file():
            raise SpawnError(f"the command is not executable: {candidate}")
    if "/" not in name:
        raise SpawnError(f"command not found: {name} (PATH searched: {path})")
    if found[0].is_dir():
        raise SpawnError(f"the command is a directory: {found[0]}")
    raise SpawnError(f"command not found: {found[0]}")
