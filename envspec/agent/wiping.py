"""Emptying a replica's directory, for a start that finds nothing of the one before."""

from __future__ import annotations

import os
from pathlib import Path

from envspec.agent.calls import Call, Node
from envspec.agent.services import Services
from envspec.agent.storage import writing
from envspec.errors import BackendError


class Wiping:
    """The verb that empties directories of this node's session."""

    def __init__(self, node: Node, services: Services) -> None:
        self._directory = node.directory
        self._services = services

    def wipe(self, call: Call) -> None:
        """Verb: remove whatever is in `dir`, the directory of a replica that does not run.

        Raises:
            BackendError: the replica runs, or the directory is not one of this session's.
            StateDirectoryError: something in it cannot be removed.
        """
        directory = Path(call["dir"])
        if self._services.runs(call["replica"]):
            raise BackendError(f"{call['replica']} runs, and what is in {directory} is in use")
        if self._directory.resolve() not in directory.resolve().parents:
            raise BackendError(f"{directory} is not in the session's directory, and is left alone")
        with writing(directory):
            empty(directory)
        call.reply()


def empty(directory: Path) -> None:
    """Remove everything in a directory and keep the directory itself; links are removed, not followed.

    Raises:
        OSError: something cannot be removed.
    """
    import shutil  # 10 ms that an agent can do without until somebody wipes

    if not directory.is_dir():
        return
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)  # noqa: PTH108  the entry is no Path, and there may be very many
