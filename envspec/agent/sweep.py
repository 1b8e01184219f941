"""Ending what is left where guardian and agent were both killed: the last line.

It is walked by the session that loses them or, where that was killed as well, by the next envspec command.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from envspec.agent.family import REPLICA_TAG, SESSION_TAG, tags
from envspec.agent.identity import boot_id, is_alive, pid_namespace, start_time
from envspec.agent.record import FILE
from envspec.agent.scratch import Scratch
from envspec.agent.tree import command_of, descendants, kill_in_rounds, own_processes


def sweep(directory: Path) -> list[str]:
    """Kill the processes of the session in `directory` that nobody owns any more; return them, "pid command".

    Once nothing is left, the record goes, too: without one, there is nothing to be looked for. Nothing is touched
    while its guardian or agent lives, nor what was recorded under another boot or in another pid namespace. The
    record, by pid and start time, counts first; the tags in the environment find those that daemonised, unless they
    wrote their title over them.
    """
    record = _read(directory)
    if record is None or not _is_ours(record) or _is_owned(record):
        return []
    ended = _kill_all(record)
    Scratch(Path(record["scratch"])).remove()
    if not _orphans(record):
        (directory / FILE).unlink(missing_ok=True)
    return [f"{pid} {command}" for pid, command in ended.items()]


def owned(directory: Path) -> bool:
    """Return whether guardian or agent of the session in `directory` still live, and end by themselves what runs."""
    record = _read(directory)
    return record is not None and _is_ours(record) and _is_owned(record)


def _read(directory: Path) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads((directory / FILE).read_text())
    except (OSError, ValueError):
        return None
    return record


def _is_ours(record: dict[str, Any]) -> bool:
    return bool(record.get("boot_id") == boot_id() and record.get("pid_namespace") == pid_namespace())


def _is_owned(record: dict[str, Any]) -> bool:
    return any(_lives(record[owner]) for owner in ("guardian", "agent"))


def _lives(entry: dict[str, Any]) -> bool:
    return entry["start_time"] is not None and is_alive(entry["pid"], entry["start_time"])


def _kill_all(record: dict[str, Any]) -> dict[int, str]:
    """Kill the orphans and return their commands, each as it was when it was first met."""
    ended: dict[int, str] = {}

    def left() -> list[int]:
        orphans = _orphans(record)
        for pid in orphans:
            ended.setdefault(pid, command_of(pid))
        return orphans

    kill_in_rounds(left)
    return ended


def _orphans(record: dict[str, Any]) -> list[int]:
    leaders = [entry["pid"] for entry in record["processes"].values() if _lives(entry)]
    tagged = [pid for pid in own_processes() if _is_service(tags(pid), record["session"])]
    found = dict.fromkeys(leaders + tagged)
    for pid in tuple(found):
        found.update(dict.fromkeys(descendants(pid)))
    return [pid for pid in found if pid != os.getpid() and start_time(pid) is not None]


def _is_service(tag: dict[str, str], session: str) -> bool:
    # The command of `envspec run` is told the session as well; it is the user's, and none of its services.
    return tag.get(SESSION_TAG) == session and REPLICA_TAG in tag
