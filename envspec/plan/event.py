"""What all events have."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Event:
    """What all events have; `at` and `time` are stamped by the session's event log."""

    at: float = 0.0
    time: float = 0.0
