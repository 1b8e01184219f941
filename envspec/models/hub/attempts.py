"""How often a request is tried, how long is waited between two tries, and when it is given up."""

from __future__ import annotations

import email.utils
import random
import re
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]  # public, yet not marked so

from envspec.models.source import Retrying, Tell

FIRST_WAIT = 0.25  # seconds; it doubles with each try
LONGEST_WAIT = 8.0
TRIES = 7  # in a row without progress: 11 to 16 seconds in all, more than a load balancer takes to swap a server
LONGEST_DEMAND = 600.0  # seconds a server may demand; the hub's rate limits are windows of 300
_SECONDS = re.compile("[0-9]{1,9}")  # as HTTP has it; there are more digits than these, and longer waits than 30 years
PROGRESS = 256 * 2**10  # bytes that make a try count as no failure, so that trickles do not go on for ever


class GaveUpError(Exception):
    """A request was tried often enough; the text says what stood in the way the last time."""


@dataclass
class Attempts:
    """The tries of one request; of a download, until its last byte is there."""

    what: str
    tell: Tell
    most: int = TRIES
    given_up: threading.Event = field(default_factory=threading.Event)
    _failed: int = field(default=0, init=False)
    _bytes: int = field(default=0, init=False)

    def arrived(self, count: int) -> None:
        """Note bytes: when there are enough of them, earlier failures are forgotten."""
        self._bytes += count
        if self._bytes >= PROGRESS:
            self._failed = 0

    def wait(self, reason: str, demanded: float | None = None) -> None:
        """Tell of a failure and wait before the next try: as long as `demanded`, else ever longer, with jitter.

        Raises:
            GaveUpError: there is no next try.
        """
        self._failed, self._bytes = self._failed + 1, 0
        if self._failed >= self.most:
            tries = f"{self.most} times" if self.most > 1 else "once"
            raise GaveUpError(f"{self.what} was tried {tries}: {reason}")
        if demanded is not None and demanded > LONGEST_DEMAND:
            raise GaveUpError(f"{self.what}: {reason}, and asks to wait {demanded:.0f} s")
        seconds = self._backoff() if demanded is None else demanded + random.uniform(0, FIRST_WAIT)  # noqa: S311
        self.tell(Retrying(f"{self.what}: {reason}", seconds, self._failed + 1))
        if self.given_up.wait(seconds):
            raise GaveUpError(f"{self.what} is not wanted any more")

    def _backoff(self) -> float:
        """Half of the wait is random, so that processes which failed together do not come back together."""
        return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (self._failed - 1)) * random.uniform(0.5, 1.0)  # noqa: S311


def demanded_wait(headers: Mapping[str, str]) -> float | None:
    """Return for how many seconds a server asks to be left alone: Retry-After as a number or a date, or RateLimit.

    None where it says nothing of it, or nothing that makes sense.
    """
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    with suppress(ValueError, OverflowError):
        date = email.utils.parsedate_to_datetime(text)
        return max(0.0, date.timestamp() - time.time())
    with suppress(ValueError):
        limit = parse_ratelimit_headers(headers)
        if limit is not None and limit.remaining == 0:
            return float(limit.reset_in_seconds)
    return None
