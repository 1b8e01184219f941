"""What all events have."""

from __future__ import annotations

from dataclasses import field

from envspec.record import Record


class Event(Record):
    """What all events have; `at` and `time` are stamped by the session's event log."""

    at: float = field(default=0.0, kw_only=True)
    time: float = field(default=0.0, kw_only=True)
