"""Whose a directory is, and who may look into it: sessions hold sockets, logs and what services were given."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

FOR_OTHERS = 0o077
WRITABLE_FOR_OTHERS = 0o022


def check_ours(directory: Path) -> None:
    """Return when a directory is this user's.

    Raises:
        PermissionError: it is another's; says whose.
    """
    owner = directory.stat().st_uid
    if owner != os.geteuid():
        raise PermissionError(0, f"it belongs to user {_named(owner)}, and we are {_named(os.geteuid())}")


def make_private(directory: Path) -> None:
    """Take from others what they may do with a directory of ours."""
    if stat.S_IMODE(directory.stat().st_mode) & FOR_OTHERS:
        directory.chmod(0o700)


def check_unshared(directory: Path) -> None:
    """Return when nobody else may put something into a directory, or take something of ours out of it.

    Raises:
        PermissionError: others may.
    """
    mode = stat.S_IMODE(directory.stat().st_mode)
    if mode & WRITABLE_FOR_OTHERS:
        raise PermissionError(0, f"others may write to it (mode {mode:04o}); chmod go-w {directory} takes that away")


def _named(user: int) -> str:
    try:
        return f"{user} ({pwd.getpwuid(user).pw_name})"
    except KeyError:
        return str(user)
