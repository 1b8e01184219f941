"""Which tests this process ran, and when: what died between two that use an environment is put where it belongs."""

from __future__ import annotations

from typing import NamedTuple

from envspec.pytest_plugin.culprit import Loss
from envspec.pytest_plugin.wanted import Wanted
from envspec.units import format_seconds


class Span(NamedTuple):
    """A test from its setup to the end of its teardown, in seconds since the epoch, and what it used."""

    test: str
    uses: frozenset[Wanted]
    began: float
    ended: float


class Past:
    """The tests that are over, in their order."""

    def __init__(self) -> None:
        self._spans: list[Span] = []

    def add(self, span: Span) -> None:
        """Hear of one more."""
        self._spans.append(span)

    def place(self, wanted: Wanted, loss: Loss, now: Span | None = None) -> str:
        """Say a loss that no user of the environment was told in time; `now` is the test that runs."""
        earlier = [span for span in (*self._spans, *((now,) if now else ())) if span.began <= loss.time]
        at_work = next((span for span in reversed(earlier) if loss.time <= span.ended), None)
        last = next((span for span in reversed(earlier) if wanted in span.uses and span is not at_work), None)
        if at_work is not None and wanted in at_work.uses:
            return loss.told(f"during {at_work.test}")
        if last is None:
            since = "before the first test that used it"
        else:
            since = f"{format_seconds(max(0.0, loss.time - last.ended))} after {last.test}"
        return loss.told(since + (f" (during {at_work.test})" if at_work else ""))
