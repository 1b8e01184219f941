"""A question that is asked until it is answered: the checks of one key, in rounds, in a thread.

A round asks the checks in order and ends at the first that does not pass; the inquiry passes when a whole round does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from envspec.agent.probe_attempt import Attempts
from envspec.agent.probe_threads import Threads
from envspec.health.base import Answer, Context
from envspec.plan.codec import from_json
from envspec.plan.plan import Check
from envspec.units import format_seconds

FIRST_PAUSE, GROWTH, LONGEST_PAUSE, SHARE = 0.002, 1.3, 0.05, 0.02
"""Seconds before the second round, and how the pause grows: at 1.3, asking for environments/local.yaml takes 10 ms of
the CPU less than at 1.15, which the services need themselves. Past 2.5 s it is a share of the time since the begin, so
that a start of a minute is seen 1.2 s late at most, after few probes (measured: docs/adr on the process model). A
service that becomes healthy lets the others begin anew: what they wait for is often just that."""
BEHIND = 0.25
"""Seconds between two rounds of what stands behind another check, whose answer is waited for first."""
GRACE = 0.25
"""Seconds past its timeout that a probe may need to notice it, before its thread is given up."""
NEWS_INTERVAL = 0.1
"""Seconds between two notices of a changed answer: a body with a counter in it changes with every try."""
DANGEROUS = frozenset({"python"})
"""Validators that run what the user wrote in this very process, and so may end it: each try of them is told, `asking`
before and `asked` after it, so that the tries and the culprit are known when the prober is no more."""
NOT_ASKED = Answer(passed=False, text="not asked, since a check before it has not passed")

Report = Callable[[list[dict[str, Any]]], None]


@dataclass
class Record:
    """What is known of one check. `seconds` is when it was last asked, from the inquiry's begin.

    `told` is the answer that was last reported, and `told_at` when; `longest` is the most seconds that an answer took.
    """

    check: Check
    context: Context
    answer: Answer = NOT_ASKED
    tries: int = 0
    seconds: float = 0.0
    told: Answer = NOT_ASKED
    told_at: float = 0.0
    longest: float = 0.0

    @property
    def is_news(self) -> bool:
        """Whether the answer should be reported: at once where it turned, else not too often."""
        if self.answer == self.told:
            return False
        if self.answer.remedy:
            return True
        return self.answer.passed != self.told.passed or time.monotonic() - self.told_at >= NEWS_INTERVAL

    def to_json(self) -> dict[str, Any]:
        """Return the record as an element of `answers`."""
        return {
            "check": self.check.where,
            "position": self.check.position,
            "passed": self.answer.passed,
            "text": self.answer.text,
            "tries": self.tries,
            "seconds": self.seconds,
            "remedy": self.answer.remedy,
        }


class Pending(NamedTuple):
    """A try under way: since when, until when at the latest, and the seconds that it was given."""

    record: Record
    since: float
    deadline: float
    timeout: float


class Inquiry:
    """The checks of one key. `do` is how long to ask: `once`, `until` they pass, or for ever (`live`).

    `once` asks each check one time, in order; `until` gives up after `timeout` seconds, or with an answer that asking
    again cannot change. Both end with a notice `done`. `live` asks every `every` seconds, and ends with a notice
    `unhealthy` after `failures` bad rounds in a row.
    """

    def __init__(self, message: Mapping[str, Any], report: Report, attempts: Attempts, threads: Threads) -> None:
        self.key = message["key"]
        self.over = False
        checks = [from_json(Check, data) for data in message["checks"]]
        self._records = [Record(check, attempts.context_of(check, message)) for check in checks]
        self._mode = message["do"]
        self._every = message.get("every") or 0.0
        self._failures = message.get("failures") or 1
        self._patience = message.get("timeout") or float("inf")
        self._begin = time.monotonic()
        self._report, self._attempts, self._threads = report, attempts, threads
        self._news: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._woken = threading.Event()
        # A thread whose turn is over goes on for nobody: its probe hung, and another thread took its place.
        self._turn = 0
        self._pending: Pending | None = None
        self._rounds = self._bad_rounds = 0
        self._bad_since = self._begin
        self._hurried_at, self._rounds_since = self._begin, 0
        self._stands_behind = bool(message.get("behind"))

    def start(self) -> None:
        """Begin to ask, in a thread that is free."""
        self._begin = self._hurried_at = time.monotonic()
        self._go_on()

    def _go_on(self) -> None:
        self._threads.run(partial(self._run, self._turn))

    @property
    def _deadline(self) -> float:
        return self._begin + self._patience

    def cancel(self) -> None:
        """Ask no more, and say no more."""
        with self._lock:
            self.over = True
            self._turn += 1
        self._woken.set()

    @property
    def waits(self) -> bool:
        """Whether it has been asked in vain so far, and is asked until it passes."""
        return self._mode == "until" and self._rounds > 0 and not self.over

    def hurry(self) -> None:
        """Ask again now, and then as often as at first: something has happened that may change the answer."""
        # Without the lock, which who calls may hold of another inquiry. A round counted twice or not does no harm.
        self._hurried_at, self._rounds_since = time.monotonic(), 0
        self._woken.set()

    def step_forward(self) -> None:
        """Stand behind no other check any more: the answer of this one is waited for now."""
        self._stands_behind = False
        self.hurry()

    def tell_all(self) -> None:
        """Report the last answer of every check that was asked, news or not, and then that this was all.

        Of one that is being asked for longer than its answers ever took, that is said: most likely it hangs.
        """
        with self._lock:
            known = (self._as_it_stands(record) for record in self._records)
            asked = [record for record in known if record.tries]
            self._news += [{"key": self.key, "notice": "answer", **record.to_json()} for record in asked]
            self._news.append({"key": self.key, "notice": "told"})
            self._tell()

    def _as_it_stands(self, record: Record) -> Record:
        """Return the record with the try that is under way, where that says more than the answer before it."""
        if self._pending is None or self._pending.record is not record:
            return record
        now = time.monotonic()
        waited = now - self._pending.since
        hangs = waited > max(GRACE, 2 * record.longest)
        if record.tries and not hangs:
            return record
        text = f"no answer for {format_seconds(waited)}{' (it hangs)' if hangs else ''}"
        if record.tries:
            text = f"{text}; the answer before: {record.answer.text}"
        answer = Answer(passed=False, text=text)
        return replace(record, answer=answer, tries=record.tries + 1, seconds=now - self._begin)

    def give_up_hanging(self, now: float) -> bool:
        """If the probe being asked hangs past its timeout, leave its thread to itself and go on in another."""
        with self._lock:
            pending = self._pending
            if self.over or pending is None or now < pending.deadline + GRACE:
                return False
            self._turn += 1
            text = f"no answer within {format_seconds(pending.timeout)}, it hangs"
            self._settle(pending.record, Answer(passed=False, text=text))
            self._conclude(pending.record)
            self._tell()
        if not self.over:
            self._go_on()
        return True

    def _run(self, turn: int) -> None:
        if self._mode == "live" and self._rounds == 0:
            self._woken.wait(self._every)
        while self._round(turn):
            self._woken.wait(self._pause())
            self._woken.clear()

    def _round(self, turn: int) -> bool:
        """Ask all checks in order; return whether this thread has to go on."""
        bad: Record | None = None
        for record in self._records:
            timeout = self._timeout(record)
            with self._lock:
                if turn != self._turn:
                    return False
                self._set_out(record, timeout)
            answer = self._attempts.ask(record.check, record.context, timeout)
            with self._lock:
                if turn != self._turn:
                    return False
                self._settle(record, answer)
            if not answer.passed:
                bad = record
                break
        with self._lock:
            if turn == self._turn:
                self._conclude(bad)
                self._tell()
            return not self.over

    def _set_out(self, record: Record, timeout: float) -> None:
        """Note that a check is being asked, and tell it of one that may take the prober with it."""
        now = time.monotonic()
        self._pending = Pending(record, now, now + timeout * max(1, len(record.context.targets)), timeout)
        if record.check.kind in DANGEROUS:
            self._mark(record, "asking", record.tries + 1)
        self._tell()

    def _mark(self, record: Record, notice: str, tries: int) -> None:
        self._news.append({"key": self.key, "notice": notice, "check": record.check.where, "tries": tries})

    def _timeout(self, record: Record) -> float:
        """One attempt's time, cut short where the inquiry's own ends before."""
        return max(min(record.check.timeout, self._deadline - time.monotonic()), LONGEST_PAUSE)

    def _settle(self, record: Record, answer: Answer) -> None:
        record.answer = answer
        record.tries += 1
        now = time.monotonic()
        record.seconds = now - self._begin
        if self._pending is not None:
            record.longest = max(record.longest, now - self._pending.since)
        self._pending = None
        if record.check.kind in DANGEROUS:
            self._mark(record, "asked", record.tries)
        if record.is_news:
            record.told, record.told_at = answer, now
            self._news.append({"key": self.key, "notice": "answer", **record.to_json()})

    def _conclude(self, bad: Record | None) -> None:
        """Say what a finished round means, where it means the end."""
        self._rounds += 1
        self._rounds_since += 1
        if bad and not self._bad_rounds:
            self._bad_since = time.monotonic()
        self._bad_rounds = self._bad_rounds + 1 if bad else 0
        if self._mode == "live":
            if bad and self._bad_rounds >= self._failures:
                seconds = time.monotonic() - self._bad_since
                failed = replace(bad, tries=self._bad_rounds, seconds=seconds)
                self._end({"notice": "unhealthy", **failed.to_json()})
        elif bad is None or self._mode == "once" or bad.answer.remedy or time.monotonic() >= self._deadline:
            answers = [record.to_json() for record in self._records]
            self._end({"notice": "done", "passed": bad is None, "answers": answers})

    def _end(self, notice: dict[str, Any]) -> None:
        self.over = True
        self._news.append({"key": self.key, **notice})

    def _tell(self) -> None:
        """Report what there is to report. The last answer and the end go together: the agent wakes up once."""
        if self._news:
            self._report(self._news)
            self._news = []

    def _pause(self) -> float:
        """How long to wait before the next round."""
        if self._mode == "live":
            return self._every
        now = time.monotonic()
        if self._stands_behind:
            return max(min(BEHIND, self._deadline - now), 0.0)
        grown = FIRST_PAUSE * GROWTH ** min(self._rounds_since - 1, 40)
        pause = max(min(grown, LONGEST_PAUSE), SHARE * (now - self._hurried_at))
        return max(min(pause, self._deadline - now), 0.0)
