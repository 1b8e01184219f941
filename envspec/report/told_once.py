"""What happened to an environment without what says the same thing again: a death is three events, and one line."""

from __future__ import annotations

from collections.abc import Iterable

from envspec.plan import events as e
from envspec.report.event_lines import ending
from envspec.report.text import first_line


def told_once(events: Iterable[e.Event]) -> list[e.Event]:
    """Return events without those that others tell as well: of an exit, its failure; of both, what that degraded."""
    told: list[e.Event] = []
    exits: dict[str, e.ReplicaExited] = {}
    words: dict[str, str] = {}
    for event in events:
        match event:
            case e.ReplicaStarting():
                exits.pop(event.replica, None)
                words.pop(event.replica, None)
            case e.ReplicaExited():
                exits[event.replica] = event
                words[event.replica] = ending(event)
            case e.ReplicaFailed():
                sentence = words[event.replica] = first_line(event.message)
                exited = exits.pop(event.replica, None)
                if exited is not None and ending(exited) in sentence:
                    told = [other for other in told if other is not exited]
            case e.SessionDegraded() if event.replica in words and words[event.replica] in event.message:
                continue
        told.append(event)
    return told
