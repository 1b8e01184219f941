"""What is known of the environments of a run, from what happened to them and from the reports of their tests."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import pytest

from envspec.plan import events as e
from envspec.pytest_plugin.keys import WANTED
from envspec.pytest_plugin.wanted import Wanted
from envspec.report.run_summary import Used, used
from envspec.session.status import SessionStatus


@dataclass(eq=False)
class Ran:
    """A session of this run. `offset` turns the clock of this process into seconds since the session began."""

    wanted: Wanted
    offset: float
    attached: bool
    events: list[e.Event] = field(default_factory=list)
    tests: int = 0
    first: float = 0.0
    last: float = 0.0

    @property
    def name(self) -> str:
        """The environment's name, as its session has it."""
        return next((event.environment for event in self.events if isinstance(event, e.SessionStarting)), "")

    @property
    def starting(self) -> bool:
        """Whether it is not yet clear how the start ends."""
        ends = (e.SessionHealthy, e.SessionFailed, e.SessionStopping, e.SessionStopped)
        return not any(isinstance(event, ends) for event in tuple(self.events))

    @property
    def stopping(self) -> bool:
        """Whether it is being taken down."""
        names = [type(event) for event in tuple(self.events)]
        return e.SessionStopping in names and e.SessionStopped not in names

    @property
    def seconds(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.offset

    def used(self) -> Used:
        """Return what a summary shows of it."""
        return used(self.events, tests=self.tests, seconds=self.last - self.first, attached=self.attached)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read one back that came from another process."""
        events = [event for told in data["events"] if (event := e.event_from_json(told)) is not None]
        return cls(**{**data, "wanted": Wanted(*data["wanted"]), "events": events})

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**vars(self), "wanted": list(self.wanted), "events": [e.event_to_json(event) for event in self.events]}


class Sessions:
    """All sessions of a process, in the order in which they began."""

    def __init__(self) -> None:
        self._began = time.time()
        self.all: list[Ran] = []
        self._of: dict[Wanted, list[Ran]] = {}

    def heard(self, wanted: Wanted, event: e.Event) -> Ran | None:
        """Note what happened; return the session that it happened to."""
        if isinstance(event, e.SessionStarting):
            begun = Ran(wanted, time.monotonic() - event.at, attached=event.time < self._began, events=[event])
            self.all.append(begun)
            self._of.setdefault(wanted, []).append(begun)
            return begun
        ran = self._about(wanted, event)
        if ran is not None:
            ran.events.append(event)
        return ran

    def attached(self, wanted: Wanted, status: SessionStatus, seconds: float) -> None:
        """Note one that was up before, and that it took `seconds` to get."""
        session: dict[str, Any] = {"session": status.id, "environment": status.environment, "directory": status.dir}
        now = time.time()
        begin = e.SessionStarting(**session, file="", pid=0, backend="", time=now - seconds)
        events = [begin, e.SessionHealthy(seconds=seconds, at=seconds, time=now)]
        ran = Ran(wanted, time.monotonic() - seconds, attached=True, events=events)
        self.all.append(ran)
        self._of.setdefault(wanted, []).append(ran)

    def _about(self, wanted: Wanted, event: e.Event) -> Ran | None:
        """Return the session that an event is about: a fresh one may start while the broken one is still stopping."""
        own = self._of.get(wanted, [])
        if isinstance(event, e.SessionStopped):
            own = [ran for ran in own if ran.stopping][:1]
        return own[-1] if own else None

    def tested(self, report: pytest.TestReport) -> None:
        """Note that a test was called."""
        for wanted in getattr(report, WANTED, ()):
            own = [ran for ran in self._of.get(Wanted(*wanted), ()) if ran.events[0].time <= report.start]
            if own:
                ran = own[-1]
                ran.first = min(ran.first, report.start) if ran.tests else report.start
                ran.last = max(ran.last, report.stop)
                ran.tests += 1
