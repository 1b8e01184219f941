"""What is told of a service that failed: one sentence, the facts beneath it, the log's last lines, and what to do.

The same facts stand in the exception's `details` as JSON values, for reports and programs.
"""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Callable, Collection, Iterable, Sequence

from envspec.agent.program import DEFAULT_PATH
from envspec.errors import ServiceError, ServiceStartError
from envspec.plan.codec import to_json
from envspec.plan.graph import dependents
from envspec.plan.plan import Plan, ReplicaPlan
from envspec.record import Record
from envspec.session.attempt import Exit, LastAnswer
from envspec.session.event_log import Redact
from envspec.session.harmless import harmless
from envspec.session.log_tail import LONGEST_LINE
from envspec.units import format_seconds

NOT_ON_PATH = ", on PATH"
"""How `envspec.agent.program` ends a sentence on a command that it sought in every directory of PATH."""
LABEL_WIDTH = 9
MOST_CHAINS = 4
MOST_CHECKS = 5
"""Validators that are named, the first of them in full."""


class Failure(Record):
    """The facts of one failure. `replica` is None for the environment's own `ready`.

    `answers` are those of the validators that have not passed; `held_up` are chains of services, each waiting for the
    one before it; `seconds` count from the start of the process; `restarts` is how often it had been started again.
    """

    kind: type[ServiceError]
    sentence: str
    name: str
    hint: str = ""
    replica: ReplicaPlan | None = None
    seconds: float | None = None
    exit: Exit | None = None
    answers: tuple[LastAnswer, ...] = ()
    restarts: int = 0
    held_up: tuple[tuple[str, ...], ...] = ()
    log_tail: tuple[str, ...] = ()

    def error(self, redact: Redact) -> ServiceError:
        """Return the exception that tells all this, without secrets."""
        rows = (line for label, lines in _rows(self) for line in _row(label, lines, redact))
        text = "\n".join([harmless(self.sentence), "", *rows, *self.searched(), *_log(self)]).rstrip()
        details = redact(_details(self))
        return self.kind(redact(text), service=self.name, hint=redact(self.hint), details=details)

    def searched(self) -> Iterable[str]:
        """Tell the PATH that had no such command: whole, for its end may be what is wrong, and in no event's line."""
        if self.replica is not None and self.kind is ServiceStartError and NOT_ON_PATH in self.sentence:
            yield f"PATH searched: {harmless(self.replica.env.get('PATH', DEFAULT_PATH))}"


def _rows(failure: Failure) -> Iterable[tuple[str, Iterable[str]]]:
    if failure.replica is not None:
        yield "where", [failure.replica.position]
        yield "command", [harmless(shlex.join(failure.replica.argv))]
    if failure.restarts:
        yield "restarts", [f"{failure.restarts} before this one"]
    yield "check", _checks(failure.answers, failure.seconds)
    yield "held up", [" ← ".join(chain) for chain in failure.held_up]
    yield "log", _log_place(failure)


def _row(label: str, lines: Iterable[str], redact: Redact) -> Iterable[str]:
    for index, line in enumerate(filter(None, lines)):
        clean = redact(line)  # before it is cut: half a secret is not known for one
        text = clean if len(clean) <= LONGEST_LINE else f"{clean[:LONGEST_LINE]} …"
        yield f"{label if index == 0 else '':<{LABEL_WIDTH}}{text}"


def _checks(answers: Sequence[LastAnswer], seconds: float | None) -> Iterable[str]:
    """Tell the first answer in full, and of the others a line each."""
    if not answers:
        return
    answer = answers[0]
    took = answer.seconds if answer.seconds is not None else seconds
    within = f" within {format_seconds(took)}" if took is not None else ""
    first, *rest = [harmless(line) for line in answer.text.splitlines() if line.strip()] or ["none"]
    yield _named(answer)
    yield f"not passed{_tries(answer, ' in ')}{within}; the last answer:"
    yield from (first, *rest[:5])
    for other in answers[1:MOST_CHECKS]:
        text = harmless(" ".join(other.text.split())) or "no answer"
        yield f"{_named(other)}: not passed{_tries(other, ' in ')}: {text}"
    if len(answers) > MOST_CHECKS:
        yield f"and {len(answers) - MOST_CHECKS} more that have not passed"


def _named(answer: LastAnswer) -> str:
    return f"{answer.check}, {answer.position}" if answer.position else answer.check


def _tries(answer: LastAnswer, word: str) -> str:
    if not answer.tries:
        return ""
    return f"{word}{answer.tries} {'try' if answer.tries == 1 else 'tries'}"


def _log_place(failure: Failure) -> Iterable[str]:
    if failure.replica is None or failure.replica.attached or failure.kind is ServiceStartError:
        return  # nothing ever wrote one
    count = len(failure.log_tail)
    end = f", its last {'line' if count == 1 else f'{count} lines'}:" if count else " (empty)"
    yield f"{failure.replica.log}{end}"


def _log(failure: Failure) -> Iterable[str]:
    if any(_log_place(failure)) and failure.log_tail:
        yield ""
        yield from (f"│ {line}".rstrip() for line in failure.log_tail)


def _details(failure: Failure) -> dict[str, object]:
    replica, ended = failure.replica, failure.exit
    return {
        "position": replica.position if replica else "",
        "command": list(replica.argv) if replica else [],
        "log": replica.log if replica else "",
        "log_tail": list(failure.log_tail),
        "seconds": failure.seconds,
        "exit_code": ended.exit_code if ended else None,
        "signal": ended.signal if ended else None,
        "out_of_memory": bool(ended and ended.oom),
        "answer": to_json(failure.answers[0]) if failure.answers else None,
        "answers": [to_json(answer) for answer in failure.answers],
        "restarts": failure.restarts,
        "held_up": [list(chain) for chain in failure.held_up],
    }


def ending(ended: Exit, *, ordered: bool) -> str:
    """Say how a process ended: `exited with code 3`, `died of SIGSEGV`; `ordered` says that a user sent the signal."""
    if ended.oom:
        return f"died of {ended.signal} (out of memory: {ended.oom})"
    if ordered and ended.signal:
        return f"died of {ended.signal}, as ordered,"
    if ended.signal == "SIGKILL":
        return "died of SIGKILL, sender unknown,"
    return f"died of {ended.signal}" if ended.signal else f"exited with code {ended.exit_code}"


def held_up(
    plan: Plan, service: str, waiting: Collection[str], line: tuple[str, ...] = ()
) -> tuple[tuple[str, ...], ...]:
    """Return the chains of services that waited for `service`, four at most, each to one that nobody waits for.

    `line` are replicas of the service that wait for one another; they stand in its place.
    """
    waits = dependents({item.name: item.depends_on for item in plan.services})

    def chains(path: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
        further = [other for other in waits.get(path[-1], ()) if other in waiting]
        if not further and len(path) > 1:
            yield path
        for other in further:
            yield from chains((*path, other))

    # Cut short while they are made: layers of services that all wait for all have more paths than atoms.
    found = tuple(itertools.islice(chains((service,)), MOST_CHAINS))
    return tuple((*line, *chain[1:]) for chain in found or ((service,),)) if line else found


def in_line(plan: Plan, replica: ReplicaPlan, is_healthy: Callable[[str], bool]) -> tuple[str, ...]:
    """Return the replica and those that wait for it in turn, where replicas start so; else nothing."""
    service = next(service for service in plan.services if service.name == replica.service)
    behind = service.replicas[replica.index + 1 :]
    if service.start != "ordered" or not behind or is_healthy(replica.name):
        return ()
    return (replica.name, *(other.name for other in behind))
