"""The one place that events pass through: stamped, redacted, written down, handed to whoever listens."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from envspec.plan.events import Event, Warned, event_from_json, event_to_json
from envspec.plan.plan import Plan
from envspec.plan.redact import redacted, secrets_of

Subscriber = Callable[[Event], None]
Redact = Callable[[Any], Any]
"""Masks secrets in a text or in JSON data."""


class EventLog:
    """A session's events since `begin`, the monotonic time at which somebody asked for it.

    Values of secret variables of `environments` are masked in them. They are kept in memory for late subscribers, and
    in `events.jsonl` once there is a directory for it.
    """

    def __init__(self, *environments: Mapping[str, str]) -> None:
        self.begin = time.monotonic()
        self._secrets = secrets_of(environments)
        self._epoch = time.time() - time.monotonic()  # not `begin`: what came since has taken its time
        self._past: list[Event] = []
        self._subscribers: list[Subscriber] = []
        self._file: IO[str] | None = None

    def record(self, event: Event, at: float | None = None) -> None:
        """Stamp an event and hand it on. `at` is the monotonic time at which it happened; now, where not given."""
        moment = time.monotonic() if at is None else at
        stamped = self._redacted(replace(event, at=moment - self.begin, time=self._epoch + moment))
        self._past.append(stamped)
        self._write(stamped)
        for subscriber in tuple(self._subscribers):
            subscriber(stamped)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` with all events so far and with those to come; returns what ends that."""
        for event in tuple(self._past):
            subscriber(event)
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def open(self, path: Path) -> None:
        """Write events to `path`, only ours to read, from now on, those so far included.

        Raises:
            OSError: it cannot be created.
        """
        self._file = path.open("w", buffering=1, encoding="utf-8", errors="backslashreplace")
        os.fchmod(self._file.fileno(), 0o600)
        for event in tuple(self._past):
            self._write(event)

    def hide(self, plan: Plan) -> None:
        """Mask the secrets of a plan, too, from now on."""
        self._secrets = tuple(sorted({*self._secrets, *secrets_of([], plan)}, key=len, reverse=True))

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown, longest first."""
        return self._secrets

    def redact(self, data: Any) -> Any:
        """Return a text, or JSON data, with every secret in it masked."""
        return redacted(data, self._secrets)

    def close(self) -> None:
        """Stop writing; subscribers still hear of what comes."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _redacted(self, event: Event) -> Event:
        data = event_to_json(event)
        clean = self.redact(data)
        return event if clean == data else event_from_json(clean) or event

    def _write(self, event: Event) -> None:
        if self._file is None:
            return
        try:
            self._file.write(json.dumps(event_to_json(event), ensure_ascii=False) + "\n")
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        # Written line by line, so nothing is left in the buffer that closing could fail on, but for this line.
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        except OSError:
            pass  # the same trouble again
        self.record(Warned(message=f"events are no longer written to disk: {error.strerror}"))
