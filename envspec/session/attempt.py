"""One start of a replica, as the agent's notices tell it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from envspec.agent.wire import Message
from envspec.plan.plan import Check
from envspec.record import Record
from envspec.session.aftermath import Aftermath


class Exit(Record):
    """How a process ended. `oom` is the kernel's evidence that memory ran out; `stopping` that we had asked for it."""

    pid: int
    exit_code: int | None
    signal: str | None
    at: float
    oom: str = ""
    stopping: bool = False


class LastAnswer(Record):
    """What a validator said last, and how often it had been asked by then.

    `tries` is 0 where it is looked at all the time (a port, a log), or was not asked. `remedy` is what to do where
    asking again cannot help.
    """

    check: str
    position: str
    passed: bool
    text: str
    tries: int
    seconds: float | None = None
    remedy: str = ""


def last_answer(message: Message) -> LastAnswer:
    """Read an answer from a notice or from the reply to `check`."""
    return LastAnswer(
        check=str(message.get("check", "")),
        position=str(message.get("position", "")),
        passed=bool(message.get("passed", False)),
        text=str(message.get("text", "")),
        tries=int(message.get("tries", 1)),
        seconds=message.get("seconds"),
        remedy=str(message.get("remedy", "")),
    )


def _future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


@dataclass
class Attempt:
    """One start: its number counts from 0, `spawned` is the monotonic time of it.

    `exited`, `healthy` (with the time at which it was) and `unhealthy` are done when the agent says so, `hopeless`
    when a validator has said that asking again cannot help, `settled` when its end has had its consequences: a
    restart, or the loss of the replica.
    `aftermath` knows what a user sent to it or below it, a pause included, and `ordered` says that it ended, or answers
    no more, because of that: which is no surprise then.
    """

    number: int
    spawned: float = field(default_factory=time.monotonic)
    pid: int | None = None
    exited: asyncio.Future[Exit] = field(default_factory=_future)
    healthy: asyncio.Future[float] = field(default_factory=_future)
    unhealthy: asyncio.Future[LastAnswer] = field(default_factory=_future)
    hopeless: asyncio.Future[LastAnswer] = field(default_factory=_future)
    settled: asyncio.Future[None] = field(default_factory=_future)
    answers: dict[str, LastAnswer] = field(default_factory=dict)
    aftermath: Aftermath = field(default_factory=Aftermath)
    ordered: bool = False

    @property
    def runs(self) -> bool:
        """Whether there is a process of ours."""
        return self.pid is not None and not self.exited.done()

    @property
    def paused(self) -> bool:
        """Whether there is one, and a user has paused it or something below it."""
        return self.runs and self.aftermath.paused

    def failing(self, checks: Sequence[Check], *, unasked: bool = False) -> tuple[LastAnswer, ...]:
        """Return the answers of those that have not passed, in order; with `unasked`, also for those without any."""
        known = [
            self.answers.get(check.where) or LastAnswer(check.where, check.position, passed=False, text="", tries=0)
            for check in checks
            if unasked or check.where in self.answers
        ]
        return tuple(answer for answer in known if not answer.passed)

    def is_news(self, notice: Message) -> bool:
        """Return whether a notice says more than how often the same answer came."""
        known = self.answers.get(notice.get("check", ""))
        if notice["notice"] != "answer" or known is None:
            return True
        return (known.passed, known.text) != (notice["passed"], notice["text"])

    def take(self, notice: Message) -> None:
        """Hear what the agent has to say about this start."""
        match notice["notice"]:
            case "answer":
                self.answers[notice["check"]] = answer = last_answer(notice)
                if answer.remedy and not self.hopeless.done():
                    self.hopeless.set_result(answer)
            case "healthy" if not self.healthy.done():
                self.healthy.set_result(notice.get("at", time.monotonic()))
            case "unhealthy" if not self.unhealthy.done():
                self.ordered = self.aftermath.explains(None, time.monotonic())
                self.unhealthy.set_result(last_answer(notice))
            case "exited" if not self.exited.done():
                ended = _exit(notice)
                self.ordered = self.ordered or self.aftermath.explains(ended, time.monotonic())
                self.exited.set_result(ended)


def _exit(notice: Message) -> Exit:
    return Exit(
        pid=notice["pid"],
        exit_code=notice["exit_code"],
        signal=notice["signal"],
        at=notice.get("at", time.monotonic()),
        oom=notice.get("oom", ""),
        stopping=bool(notice.get("stopping")),
    )
