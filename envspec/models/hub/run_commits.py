"""One answer for a whole run: which commit a branch was at when the run first asked.

The processes of one pytest run (workers, sessions, fetchers) share a directory, named by RUN_DIRECTORY. The first
that hears of a commit notes it there, and the others take it for what the branch is at, even if it has moved since.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from envspec.models.hub.options import Hub
from envspec.models.source import Host

RUN_DIRECTORY = "ENVSPEC_RUN_DIR"
"""The variable. The directory is made by the first that has something to note."""


def noted(options: Hub, host: Host) -> str:
    """Return the commit that this run has for a branch, empty where it has none yet."""
    place = _place(options, host)
    try:
        return place.read_text("ascii") if place else ""
    except OSError:
        return ""


def note(options: Hub, commit: str, host: Host) -> str:
    """Note what the hub said, unless another process of the run was first; return what holds for the run."""
    place = _place(options, host)
    if place is None:
        return commit
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=place.parent, encoding="ascii") as file:
        file.write(commit)
        file.flush()
        try:
            os.link(file.name, place)  # whole or not at all, and never over what another has noted
        except FileExistsError:
            return noted(options, host)
    return commit


def _place(options: Hub, host: Host) -> Path | None:
    directory = host.environ.get(RUN_DIRECTORY)
    if not directory:
        return None
    asked = "\n".join((host.environ.get("HF_ENDPOINT", ""), options.repo, options.revision))
    return Path(directory) / hashlib.sha256(asked.encode()).hexdigest()[:32]
