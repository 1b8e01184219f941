"""Ending what is left where guardian and agent were both killed: the last line, walked by the next envspec command."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from envspec.agent.family import SESSION_TAG, tags
from envspec.agent.identity import boot_id, is_alive, pid_namespace, start_time
from envspec.agent.record import FILE
from envspec.agent.scratch import Scratch
from envspec.agent.tree import KILL_PATIENCE, PAUSE, command_of, descendants, send


def sweep(directory: Path) -> list[str]:
    """Kill the processes of the session in `directory` that nobody owns any more; return them, "pid command".

    Nothing is touched while its guardian or agent lives, nor what was recorded under another boot or in another pid
    namespace. The record, by pid and start time, counts first; the tag in the environment finds those that
    daemonised, unless they wrote their title over it.
    """
    try:
        record: dict[str, Any] = json.loads((directory / FILE).read_text())
    except (OSError, ValueError):
        return []
    here = {"boot_id": boot_id(), "pid_namespace": pid_namespace()}
    if not here.items() <= record.items() or any(_lives(record[owner]) for owner in ("guardian", "agent")):
        return []
    ended = _kill_all(record)
    Scratch(Path(record["scratch"])).remove()
    return [f"{pid} {command}" for pid, command in ended.items()]


def _lives(entry: dict[str, Any]) -> bool:
    return entry["start_time"] is not None and is_alive(entry["pid"], entry["start_time"])


def _kill_all(record: dict[str, Any]) -> dict[int, str]:
    """Kill in rounds, since a process may fork while it is being killed."""
    ended: dict[int, str] = {}
    deadline = time.monotonic() + KILL_PATIENCE
    while (left := _orphans(record)) and time.monotonic() < deadline:
        for pid in left:
            ended.setdefault(pid, command_of(pid))
            send(pid, signal.SIGKILL)
        signal.sigtimedwait((), PAUSE)
    return ended


def _orphans(record: dict[str, Any]) -> list[int]:
    leaders = [entry["pid"] for entry in record["processes"].values() if _lives(entry)]
    tagged = [pid for pid in _own_processes() if tags(pid).get(SESSION_TAG) == record["session"]]
    found = dict.fromkeys(leaders + tagged)
    for pid in tuple(found):
        found.update(dict.fromkeys(descendants(pid)))
    return [pid for pid in found if pid != os.getpid() and start_time(pid) is not None]


def _own_processes() -> list[int]:
    user = os.getuid()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and entry.stat().st_uid == user:
                found.append(int(entry.name))
        except OSError:
            continue  # it has ended meanwhile
    return found
