"""Reads the events that a session wrote down."""

from __future__ import annotations

import json
from pathlib import Path

from envspec.plan.events import Event, event_from_json


def read_events(path: Path, offset: int = 0, end: int | None = None) -> list[Event]:
    """Return the events in a file from `offset` on, or between it and `end`.

    A line that is half written yet, or unknown, is passed over.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            lines = file.read(-1 if end is None else max(0, end - offset)).splitlines()
    except OSError:
        return []
    return [event for line in lines if (event := _event(line)) is not None]


def _event(line: bytes) -> Event | None:
    try:
        return event_from_json(json.loads(line))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
