"""What runs, written down, for whoever comes after both guardian and agent were killed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from envspec.agent.identity import boot_id, pid_namespace, start_time
from envspec.agent.storage import replace_json
from envspec.errors import StateDirectoryError

FILE = "processes.json"


class Record:
    """`processes.json` of a session: each replica's leader, by pid and start time, and the pair that owns them."""

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
        self._write()

    def add(self, replica: str, pid: int) -> None:
        """Note a replica that was just spawned.

        Raises:
            StateDirectoryError: it cannot be written, so the process must not live on.
        """
        self._processes[replica] = _entry(pid)
        self._write()

    def remove(self, replica: str) -> None:
        """Strike out a replica of which nothing is left. A full disk keeps the line, which then matches nobody."""
        if self._processes.pop(replica, None) is not None:
            try:
                self._write()
            except StateDirectoryError:
                return

    def _write(self) -> None:
        replace_json(self._path, {**self._head, "processes": self._processes})


def _entry(pid: int) -> dict[str, int | None]:
    return {"pid": pid, "start_time": start_time(pid)}
