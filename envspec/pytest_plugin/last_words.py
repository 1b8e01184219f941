"""What the processes of a run have to say at its end: only one of them has a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envspec.pytest_plugin.session_record import SessionRecord

KEY = "envspec"
"""Under which an xdist worker's words are in its `workeroutput`."""


class LastWords:
    """Sections with a whole cause each, and lines after them. A section that several processes tell is told once.

    `sessions` are those that this process owned, or heard of.
    """

    def __init__(self) -> None:
        self.sections: dict[str, str] = {}
        self.lines: list[str] = []
        self.sessions: list[SessionRecord] = []

    def to_json(self) -> dict[str, Any]:
        """Return what a worker sends to its controller."""
        sessions = [session.to_json() for session in self.sessions]
        return {"sections": self.sections, "lines": self.lines, "sessions": sessions}

    def heard(self, worker: str, told: Mapping[str, Any]) -> None:
        """Keep what an xdist worker has to say."""
        self.sections = {**told["sections"], **self.sections}
        self.lines += [f"[{worker}] {line}" for line in told["lines"]]
        self.sessions += map(SessionRecord.from_json, told["sessions"])

    def write(self, terminal: Any) -> None:
        """Write all of it into pytest's terminal."""
        for title, story in self.sections.items():
            terminal.section(title, sep="-", red=True)
            terminal.line(story)
        for line in self.lines:
            terminal.line(line)
