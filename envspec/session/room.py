"""Room on the disk that holds the state directory: asked for before a session, and after a failure."""

from __future__ import annotations

import os
from pathlib import Path

from envspec.errors import StateDirectoryError
from envspec.session.registry import ended
from envspec.session.state import remove_tree, state_directory, usable

LEAST_FREE = 2**20
"""Bytes that must be free: less than that and the first service's first log fails in the middle of the start."""


def free_bytes(directory: Path) -> int:
    """Return how much this user can still write on the file system of a directory."""
    room = os.statvfs(directory)
    return room.f_bavail * room.f_frsize


def make_room(directory: Path) -> None:
    """Return when a session fits below `directory`; ended sessions make room for it, the oldest first.

    Raises:
        StateDirectoryError: even without them there is too little; says what fills the disk as far as it is ours.
    """
    with usable(directory):
        oldest_first = list(reversed(ended()))
        while free_bytes(directory) < LEAST_FREE and oldest_first:
            remove_tree(oldest_first.pop(0).directory)
        free = free_bytes(directory)
    if free < LEAST_FREE:
        message = f"the state directory {directory} cannot be used: only {free // 1024} KiB are free on its file system"
        hint = "free or fix it, or choose another one: ENVSPEC_STATE_DIR=/some/where"
        raise StateDirectoryError(message, hint=f"{hint}\n{_filled_by(directory)}")


def shortage() -> str:
    """Return a sentence that the state directory's disk is full; empty where it is not, or nobody can say."""
    directory = state_directory()
    try:
        free = free_bytes(directory)
    except OSError:
        return ""
    return f"the disk that holds {directory} is full: {free // 1024} KiB free" if free < LEAST_FREE else ""


def _filled_by(directory: Path) -> str:
    held = {path.name: _size(path) for path in directory.glob("sessions/*")}
    everything = f"of what fills it, {sum(held.values()) // 1024} KiB are running sessions'"
    if not held:
        return "nothing of what fills it is envspec's"
    largest = max(held, key=lambda name: held[name])
    return f"{everything}, {held[largest] // 1024} KiB of them {largest}'s"


def _size(directory: Path) -> int:
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.lstat(f"{folder}/{name}").st_blocks * 512
            except OSError:
                continue
    return total
