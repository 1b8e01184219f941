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
    parts = [""] if "/" in name else path.split(":")
    unusable = None
    for candidate in (Path(cwd, part, name) for part in parts):
        if candidate.is_file():
            if os.access(candidate, os.X_OK):
                return str(candidate)
            unusable = unusable or candidate
    if unusable is not None:
        raise SpawnError(f"the command is not executable: {unusable}; make it so, or name its interpreter before it")
    if "/" not in name:
        raise SpawnError(f"command not found: {name}, on PATH{_one_word(name)}")
    if Path(cwd, name).is_dir():
        raise SpawnError(f"the command is a directory: {Path(cwd, name)}")
    raise SpawnError(f"command not found: {Path(cwd, name)}{_one_word(name)}")


def _one_word(name: str) -> str:
    """Return what is most likely wrong with a program whose name has a blank in it."""
    words = name.split()
    return f"; a command is a list of words: [{', '.join(words)}]" if len(words) > 1 else ""
