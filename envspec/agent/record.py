"""What runs, written down, for whoever comes after both guardian and agent were killed."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from envspec.agent.identity import boot_id, pid_namespace, start_time
from envspec.agent.storage import replace_json

FILE = "processes.json"


class Record:
    """`processes.json` of a session: each replica's leader, by pid and start time, and the pair that owns them.

    Raises:
        StateDirectoryError: it cannot be written.
    """

    def __init__(self, directory: Path, session: str, guardian: int, scratch: Path) -> None:
        self._path = directory / FILE
        self._head: dict[str, Any] = {
            "session": session,
            "boot_id": boot_id(),
            "pid_namespace": pid_namespace(),
            "scratch": str(scratch),
            "agent": _entry(os.getpid()),
            "guardian": _entry(guardian),
        }
        self._processes: dict[str, dict[str, int | None]] = {}
        self._is_written = False
        self.write()

    def add(self, replica: str, pid: int) -> None:
        """Note a replica that was just spawned, for the next `write`."""
        self._processes[replica] = _entry(pid)
        self._is_written = False

    def write(self) -> None:
        """Bring the file up to date with all that was added.

        Raises:
            StateDirectoryError: it cannot be written, so what was added must not live on.
        """
        if not self._is_written:
            replace_json(self._path, {**self._head, "processes": self._processes})
            self._is_written = True

    def remove(self, replica: str) -> None:
        """Forget a replica of which nothing is left.

        The file is brought up to date with the next that is added: until then the line matches no process.
        """
        self._processes.pop(replica, None)

    def close(self) -> None:
        """Remove the file: nothing is left of what it told of."""
        with suppress(OSError):
            self._path.unlink()


def _entry(pid: int) -> dict[str, int | None]:
    return {"pid": pid, "start_time": start_time(pid)}
