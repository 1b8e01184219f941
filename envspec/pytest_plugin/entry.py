"""An environment of a run, from its start to its end."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from envspec.errors import EnvspecError
from envspec.plan.events import Event
from envspec.pytest_plugin.start import Started
from envspec.pytest_plugin.wanted import Wanted
from envspec.session.live import Handle


@dataclass(eq=False)
class Entry:
    """An environment, and who has it. It is `withdrawn` when it turns out that no test of the run wants it.

    `events` are those of its start. `attached` is the seconds that it took to get one which was up before, None where
    this run has started it.
    """

    wanted: Wanted
    handle: Handle | None = None
    started: Started | None = None
    session: str = ""
    attached: float | None = None
    failure: EnvspecError | None = None
    withdrawn: bool = False
    users: set[str] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)

    @property
    def is_settled(self) -> bool:
        """Whether its start is over."""
        return self.started is not None or self.failure is not None

    def hear(self, event: Event) -> None:
        """Note what happens while it starts."""
        if not self.is_settled:
            self.events.append(event)

    def waited_for(self) -> str:
        """Return what its start waits for; empty where that is not known."""
        from envspec.report.waiting import waited_for

        events = tuple(self.events)
        return ", ".join(waited_for(events, events[-1].at)) if events else ""

    def take_back(self) -> None:
        """Take it down, however far its start is. Of what goes wrong nobody hears."""
        with suppress(EnvspecError, OSError):
            if self.started is not None:
                self.started.withdraw()
            elif self.handle is not None:
                self.handle.stop("no test wants it")
