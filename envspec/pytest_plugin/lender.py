"""Who gives environments to tests: the process that owns them, or a line to it."""

from __future__ import annotations

from typing import Protocol

from envspec.pytest_plugin.wanted import Groups, Wanted
from envspec.session.live import Handle


class Lender(Protocol):
    """Lends environments. All of it may be called from any thread."""

    def expect(self, groups: Groups) -> None:
        """Hear which tests will run and what they want, before the first of them does."""

    def lend(self, wanted: Wanted, *, at_once: bool = False) -> Handle:
        """Return a healthy environment, which stays up until it is given back; starts it where nobody has.

        `at_once` does not wait for its turn: this test was not known to want it.

        Raises:
            EnvspecError: it did not start, now or when it was first tried.
        """

    def attached(self, wanted: Wanted) -> float | None:
        """Return the seconds that it took to get one, lent now, which was up before the run; None where it was not."""

    def waited_for(self, wanted: Wanted) -> str:
        """Return what the start of one waits for; empty where that is not known."""

    def give_back(self, wanted: Wanted) -> None:
        """Say that this process does not use it now."""

    def renew(self, wanted: Wanted, session: str) -> None:
        """Say that the session of this id is broken: who asks next gets a fresh one."""
