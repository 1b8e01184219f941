"""Whether an exit is followed by a new start, and after which pause."""

from __future__ import annotations

import time

from envspec.errors import EnvspecError, ServiceExitedError
from envspec.plan.plan import Restart

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0
"""Seconds. The first restart is at once; from the second on the pause doubles, as Docker's does, for a program that
ends as soon as it starts would else take a whole processor."""
GOOD_LIFE = 10.0
"""Seconds after which a process has shown that it can live, so that the pauses begin anew (Docker's figure)."""


class Restarts:
    """Counts the restarts of one replica over the whole session.

    `patience` is how long, in seconds, a replica that is not healthy yet may go on being restarted where `restart` has
    no `max`: else a program that always crashes would keep the start of its environment waiting for ever.
    """

    def __init__(self, policy: Restart, patience: float) -> None:
        self.count = 0
        self._policy = policy
        self._patience = patience
        self._pause = 0.0
        self.begin()

    def begin(self) -> None:
        """Have patience anew: for a first start, however long it had to wait for others, or one that a user ordered."""
        self._patience_ends = time.monotonic() + self._patience

    def grants(self, error: EnvspecError, *, was_healthy: bool) -> bool:
        """Return whether what ended with `error` is started again, and count it."""
        if not isinstance(error, ServiceExitedError) or not self.would_grant(was_healthy=was_healthy):
            return False
        self.count += 1
        return True

    def would_grant(self, *, was_healthy: bool) -> bool:
        """Return whether an exit now would be followed by a new start."""
        if self._policy.on == "never":
            return False
        if self._policy.max is not None and self.count >= self._policy.max:
            return False
        return self._policy.max is not None or was_healthy or time.monotonic() <= self._patience_ends

    @property
    def ran_out(self) -> str:
        """`3 of 3` where all that `max` allows are used up, else empty."""
        most = self._policy.max
        return f"{self.count} of {most}" if self._policy.on != "never" and most and self.count >= most else ""

    def pause(self, lived: float) -> float:
        """Return the seconds to wait before the next start of something that lived this long."""
        pause = 0.0 if lived >= GOOD_LIFE else self._pause
        self._pause = min(max(2 * pause, FIRST_PAUSE), LONGEST_PAUSE)
        return pause
