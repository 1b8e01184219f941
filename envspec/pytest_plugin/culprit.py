"""What breaks an environment while tests run in it, and how that is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from envspec.plan import events as e
from envspec.report.replicas import short_check
from envspec.report.text import first_line, one_line
from envspec.units import format_seconds

LONGEST_ANSWER = 200
"""Characters of a validator's last answer: enough for a status and the begin of a body."""
AGENT_LOST = "the agent is gone"
"""Why a session ends that nobody took down (envspec.session.session)."""
STARTS = ("restart", "start")
"""Orders that tell whoever gave them how they ended."""


class Loss(NamedTuple):
    """What an environment cannot do without is gone: what happened, and when, in seconds since the epoch."""

    what: str
    time: float

    def told(self, when: str) -> str:
        """Say it with the words that place it."""
        return f"{self.what}{'' if self.what.endswith(')') else ','} {when}"

    def during(self, test: str, began: float) -> str:
        """Say it to a test that ran meanwhile, and began at that epoch time."""
        return self.told(f"{format_seconds(max(0.0, self.time - began))} into {test}")


class Losses:
    """Reads the events of a session for losses. What a test or a person ordered is none, nor what is started again."""

    def __init__(self, environment: str) -> None:
        self._environment = environment
        self._ordered: set[str] = set()
        self._tell: dict[type[e.Event], Callable[[Any], str]] = {
            e.ReplicaExited: self._exited,
            e.ReplicaUnhealthy: self._unhealthy,
            e.ReplicaFailed: self._failed,
            e.SessionStopping: self._stopping,
            e.SessionFailed: lambda event: f"the environment {environment} was lost: {first_line(event.message)}",
            e.SessionStopped: lambda _event: f"the environment {environment} is down",
        }

    def take(self, event: e.Event) -> Loss | None:
        """Hear an event; return the loss that it is, if it is one."""
        if isinstance(event, e.FaultOrdered) and event.action in STARTS:
            self._ordered.add(event.replica)
        elif isinstance(event, e.ReplicaHealthy):
            self._ordered.discard(event.replica)
        tell = self._tell.get(type(event))
        if tell is None or getattr(event, "replica", "") in self._ordered:
            return None
        what = tell(event)
        return Loss(what, event.time) if what else None

    def _stopping(self, event: e.SessionStopping) -> str:
        if event.reason == AGENT_LOST:
            return f"the environment {self._environment} was lost: {event.reason}"
        return f"the environment {self._environment} was taken down ({event.reason})"

    def _exited(self, event: e.ReplicaExited) -> str:
        if event.ordered or event.expected or event.restarts:
            return ""
        return f"services.{event.replica} {_end(event)}"

    def _unhealthy(self, event: e.ReplicaUnhealthy) -> str:
        if event.ordered or event.restarts:
            return ""
        answer = one_line(event.answer)[:LONGEST_ANSWER]
        return f"services.{event.replica} turned unhealthy ({short_check(event.check)}: {answer or 'no answer'})"

    def _failed(self, event: e.ReplicaFailed) -> str:
        sentence = first_line(event.message)
        return f"services.{sentence if sentence.startswith(event.replica) else f'{event.replica} failed: {sentence}'}"


def _end(event: e.ReplicaExited) -> str:
    if event.oom:
        return f"died of {event.signal} (out of memory: {event.oom})"
    if event.signal == "SIGKILL":
        return "died of SIGKILL, sender unknown"
    return f"died of {event.signal}" if event.signal else f"exited with code {event.exit_code}"
