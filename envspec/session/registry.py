"""The sessions of this user: those that live, and what dead ones left, which whoever meets it cleans up."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from envspec.agent.identity import boot_id, is_alive, pid_namespace
from envspec.agent.sweep import sweep
from envspec.record import Record
from envspec.session.state import (
    EVENTS,
    NEW,
    RECORD,
    SOCKET,
    finish_session_directory,
    remove_tree,
    sessions_directory,
    state_directory,
)

__all__ = ["Entry", "clean", "find", "sessions", "state_directory"]

KEPT_SESSIONS = 10
KEPT_SECONDS = 24 * 3600.0
"""Of ended sessions, logs and events are kept for the last ten, and for a day: for `logs` and `timeline` after the
fact, and no longer, because nobody ever deletes a state directory by hand."""


class Entry(Record):
    """A session in the registry. `ended` is when it ended, in seconds since the epoch, None while it lives.

    `detached` says that it may be lent: it belongs to no other process.
    """

    id: str
    environment: str
    file: str
    directory: Path
    pid: int
    backend: str
    created: float
    ended: float | None
    detached: bool = False


def sessions() -> list[Entry]:
    """Return the sessions that live, the oldest first. What dead ones left is cleaned up on the way."""
    clean()
    return living()


def living() -> list[Entry]:
    """Return the sessions that live, the oldest first, and leave what dead ones left to others: it takes no time."""
    records = [record for record in map(_told, _records()) if record["ended"] is None]
    return [_entry(record) for record in records if _is_ours(record) and _lives(record)]


def ended() -> list[Entry]:
    """Return the sessions whose logs and events are still there, the one that ended last first."""
    entries = [_entry(record) for record in map(_told, _records()) if record["ended"] is not None]
    return sorted(entries, key=lambda entry: entry.ended or 0.0, reverse=True)


def find(text: str) -> list[Entry]:
    """Return the living session whose id is `text`, else all of the environment of that name."""
    living = sessions()
    return [entry for entry in living if entry.id == text] or [entry for entry in living if entry.environment == text]


def clean() -> None:
    """End what sessions left whose owner or agent was killed, and forget sessions that ended long ago.

    What another machine or another pid namespace wrote here is not ours to judge.
    """
    ended_at: dict[Path, float] = dict(_abandoned())
    for record in _records():
        directory = Path(record["directory"])
        if record["ended"] is not None:
            ended_at[directory] = record["ended"]
            sweep(directory)
        elif _is_dead(record):
            sweep(directory)
            finish_session_directory(directory)
    newest_first = sorted(ended_at, key=lambda directory: ended_at[directory], reverse=True)
    for position, directory in enumerate(newest_first):
        if position >= KEPT_SESSIONS or time.time() - ended_at[directory] > KEPT_SECONDS:
            remove_tree(directory)


def _abandoned() -> Iterable[tuple[Path, float]]:
    """Yield directories that never became a session, since their maker was killed in those milliseconds."""
    for directory in sessions_directory().glob(f"{NEW}*"):
        with suppress(FileNotFoundError):  # it has just become one
            made = directory.stat().st_mtime
            if time.time() - made > KEPT_SECONDS:
                yield directory, made


def _records() -> list[dict[str, Any]]:
    """Return what can be read of all sessions, the oldest first."""
    found = []
    for path in sessions_directory().glob(f"[!.]*/{RECORD}"):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            found.append({**record, "directory": str(path.parent), "created": float(record["created"])})
        except (OSError, ValueError, KeyError, TypeError):
            continue  # it is being removed, or nothing of ours
    return sorted(found, key=lambda record: record["created"])


def _told(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record with when the session ended also where that could not be written, as on a full disk.

    Its socket goes last, for which no room is needed; about when that was, its last event says.
    """
    directory = Path(record["directory"])
    if record["ended"] is not None:
        return record
    if not _is_dead(record) and not (_is_ours(record) and not (directory / SOCKET).exists()):
        return record
    try:
        return {**record, "ended": (directory / EVENTS).stat().st_mtime}
    except OSError:
        return {**record, "ended": record["created"]}


def _entry(record: dict[str, Any]) -> Entry:
    return Entry(
        id=record["id"],
        environment=record["environment"],
        file=record["file"],
        directory=Path(record["directory"]),
        pid=record["pid"],
        backend=record["backend"],
        created=record["created"],
        ended=record["ended"],
        detached=bool(record.get("detached")),
    )


def _is_ours(record: dict[str, Any]) -> bool:
    return bool(record["boot_id"] == boot_id() and record["pid_namespace"] == pid_namespace())


def _lives(record: dict[str, Any]) -> bool:
    # By pid and start time: a successful connect() would prove nothing, since a forked child keeps the listener.
    return is_alive(record["pid"], record["start_time"])


def _is_dead(record: dict[str, Any]) -> bool:
    """Whether nobody is left who would clean up after this session."""
    if not _is_ours(record):
        # This machine was started anew since: a pid of another boot is nobody's.
        return bool(record["host"] == socket.gethostname() and record["boot_id"] != boot_id())
    return not _lives(record) and not any(_alive(entry) for entry in _owners(Path(record["directory"])))


def _owners(directory: Path) -> Iterable[dict[str, Any]]:
    """Yield guardian and agent: with the session gone they are still at work for about a second."""
    try:
        processes = json.loads((directory / "processes.json").read_text(encoding="utf-8"))
        return [processes["guardian"], processes["agent"]]
    except (OSError, ValueError, KeyError):
        return []


def _alive(entry: dict[str, Any]) -> bool:
    return entry["start_time"] is not None and is_alive(entry["pid"], entry["start_time"])
