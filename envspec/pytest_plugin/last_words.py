"""What the processes of a run have to say at its end: only one of them has a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from envspec.pytest_plugin.keys import WORDS
from envspec.pytest_plugin.session_record import SessionRecord

if TYPE_CHECKING:
    from envspec.pytest_plugin.ran import Ran

KEY = "envspec"
"""Under which an xdist worker's words are in its `workeroutput`."""


class LastWords:
    """Sections with a whole cause each, and lines after them. A section that several processes tell is told once.

    `sessions` are those that this process owned, or heard of, and `ran` what --env-timeline shows of them; `lost` says
    that the run has failed of something that no test's report tells.
    """

    def __init__(self) -> None:
        self.sections: dict[str, str] = {}
        self.lines: list[str] = []
        self.sessions: list[SessionRecord] = []
        self.ran: list[Ran] = []
        self.lost = False

    def to_json(self) -> dict[str, Any]:
        """Return what a worker sends to its controller."""
        sessions = [session.to_json() for session in self.sessions]
        ran = [one.to_json() for one in self.ran]
        return {"sections": self.sections, "lines": self.lines, "sessions": sessions, "ran": ran, "lost": self.lost}

    def heard(self, worker: str, told: Mapping[str, Any]) -> None:
        """Keep what an xdist worker has to say."""
        self.sections = {**told["sections"], **self.sections}
        self.lines += [f"[{worker}] {line}" for line in told["lines"]]
        self.lost |= told["lost"]
        self.sessions += map(SessionRecord.from_json, told["sessions"])
        if told["ran"]:
            from envspec.pytest_plugin.ran import Ran  # and all that draws it, where somebody wants to see it

            self.ran += map(Ran.from_json, told["ran"])

    def write(self, terminal: Any) -> None:
        """Write all of it into pytest's terminal."""
        for title, story in self.sections.items():
            terminal.section(title, sep="-", red=True)
            terminal.line(story)
        for line in self.lines:
            terminal.line(line)


def words_of(config: pytest.Config) -> LastWords:
    """Return what this process has to say at the end."""
    if WORDS not in config.stash:
        config.stash[WORDS] = LastWords()
    return config.stash[WORDS]


def leave(session: pytest.Session, words: LastWords) -> None:
    """Send a controller what its worker has to say.

    A run fails whose tests all passed, but whose environment died where no test could tell it.
    """
    if words.lost and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[KEY] = words.to_json()
