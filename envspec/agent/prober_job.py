"""What a prober is asked to do, and what is known of it where the prober is no more."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from envspec.agent.wire import Message

OnNotice = Callable[[Message], None]


class Job:  # a dataclass would be imported before hello: 3 ms
    """What the prober is asked to do. `on_notice` gets its notices: answer, told, done, unhealthy.

    Tries are counted by check: `tries` in the present prober, `spent` in those that died. `asking` are the checks
    that this one is asking, of those that might end it. `losses` is how
    often in a row one of them hung or ended its prober.
    """

    def __init__(self, message: Message, on_notice: OnNotice) -> None:
        self.message = message
        self.on_notice = on_notice
        self.tries: dict[str, int] = {}
        self.spent: dict[str, int] = {}
        self.asking: set[str] = set()
        self.losses = 0
        self.began = time.monotonic()

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for its end, which has to come then."""
        return self.message.get("timeout") is not None or self.message["do"] == "once"

    def begin(self) -> None:
        """Let it be asked; the seconds that it takes count from here."""
        self.message["held"] = False
        self.began = time.monotonic()

    @property
    def is_held(self) -> bool:
        """Whether it is still to be told to begin."""
        return bool(self.message.get("held"))

    @property
    def asked(self) -> Iterator[Message]:
        """Its checks that are being asked, of those that might end the prober."""
        return (check for check in self.message["checks"] if check["where"] in self.asking)

    def take(self, message: Message) -> None:
        """Count, and pass on what is not for the count alone."""
        match message["notice"]:
            case "asking":
                self.tries[message["check"]] = message["tries"]
                self.asking.add(message["check"])
            case "asked":
                self.asking.discard(message["check"])
                self.losses = 0
            case "answer":
                self.on_notice(self._counted(message))
            case "done":
                self.on_notice({**message, "answers": [self._counted(answer) for answer in message["answers"]]})
            case _:
                self.on_notice(message)

    def total(self, check: str) -> int:
        """Return how often a check has been asked, as far as it is known."""
        return self.spent.get(check, 0) + self.tries.get(check, 0)

    def outlive(self) -> None:
        """Begin to count anew: the prober is no more."""
        self.spent = {check: self.total(check) for check in {*self.spent, *self.tries}}
        self.tries.clear()
        self.asking.clear()

    def no_answer(self, check: Message, text: str, remedy: str = "") -> Message:
        """Return the answer, and tell it, of a check that the prober could not give one of."""
        about = {"check": check["where"], "position": check["position"], "tries": self.total(check["where"])}
        seconds = time.monotonic() - self.began
        answer = {**about, "passed": False, "text": text, "seconds": seconds, "remedy": remedy}
        self.on_notice({"key": self.message["key"], "notice": "answer", **answer})
        return answer

    def fail(self, answers: list[Message]) -> None:
        """Tell that it is over, and did not pass."""
        self.on_notice({"key": self.message["key"], "notice": "done", "passed": False, "answers": answers})

    def _counted(self, answer: Message) -> Message:
        self.tries[answer["check"]] = answer["tries"]
        return {**answer, "tries": self.total(answer["check"])}


LET_GO = (
    "a callback must let other threads run, so no regular expression or loop in C without end, and must not stop its "
    "process, which is envspec's prober; what may do so is better run by an `exec` check"
)


class Asked(NamedTuple):
    """A job whose prober was lost while it asked `checks`, of those that can bring that."""

    key: str
    job: Job
    checks: tuple[Message, ...]


class Loss(NamedTuple):
    """How a prober was lost, as what a check that it asked may have done to `{}`, and what to do about that."""

    did: str
    remedy: str


OnLost = Callable[[Sequence[Asked], Loss], None]
"""Hears of those that a prober was asking when it was lost."""
