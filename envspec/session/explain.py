"""What each kind of failure is called, and what to do about it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from envspec.errors import (
    EnvironmentNotReadyError,
    EnvspecError,
    ServiceError,
    ServiceExitedError,
    ServiceNotReadyError,
    ServiceStartError,
    StateDirectoryError,
)
from envspec.plan.plan import Plan, ReplicaPlan
from envspec.session.attempt import Attempt, Exit, LastAnswer
from envspec.session.event_log import Redact
from envspec.session.failure import Failure, ending, held_up, in_line
from envspec.session.log_tail import read_tail
from envspec.session.programs import pip_hint
from envspec.session.restarts import Restarts
from envspec.session.room import shortage
from envspec.session.run import Run
from envspec.units import format_seconds

FULL_DISK = "free some space there, or point ENVSPEC_STATE_DIR at another disk"
LAST_ANSWERS = 1.0
"""Seconds for the agent to bring its answers up to date: how often a validator was asked is told only on request."""
IN_USE = re.compile(r"address (?:is )?already in use|EADDRINUSE|\[?Errno 98\b", re.IGNORECASE)


class Explainer:
    """Turns what happened to one replica into the error that tells it."""

    def __init__(self, run: Run, plan: ReplicaPlan) -> None:
        self._run = run
        self._plan = plan

    async def exited(self, attempt: Attempt, ended: Exit, restarts: Restarts) -> ServiceError:
        """The process ended, and should not have."""
        if self._plan.health and not attempt.healthy.done():
            await self.hear_last_answers()
        seconds = ended.at - attempt.spawned
        when = f"{format_seconds(seconds)} after its start"
        before = "" if attempt.healthy.done() or self._is_task else ", before it was healthy"
        how = ending(ended, ordered=attempt.ordered)
        hint = ""
        if ended.exit_code == 0 and not self._is_task:
            hint = "a service runs until it is stopped; if this one is meant to end, say `kind: task`"
        return await self._explain(
            ServiceExitedError,
            f"{self._plan.name} {how} {when}{before}{_spent(restarts)}",
            attempt,
            hint=hint,
            exit=ended,
            seconds=seconds,
            restarts=restarts.count,
        )

    async def not_ready(self, attempt: Attempt, restarts: Restarts) -> ServiceError:
        """The start took longer than `start_timeout`; the last answers have been heard."""
        what = "did not finish" if self._is_task else "did not become healthy"
        timeout = format_seconds(self._plan.start_timeout)
        return await self._explain(
            ServiceNotReadyError,
            f"{self._plan.name} {what} within its start_timeout of {timeout}",
            attempt,
            hint="if it only needs longer, raise `start_timeout` of the service",
            answers=attempt.failing(self._plan.health, unasked=not attempt.healthy.done()),
            restarts=restarts.count,
        )

    async def hopeless(self, attempt: Attempt, answer: LastAnswer) -> ServiceError:
        """A validator has said that asking it again is no use."""
        await self.hear_last_answers()
        others = [other for other in attempt.failing(self._plan.health) if other.check != answer.check]
        return await self._explain(
            ServiceNotReadyError,
            f"{self._plan.name} cannot become healthy: {answer.check} cannot pass",
            attempt,
            hint=answer.remedy,
            answers=(attempt.answers[answer.check], *others),
        )

    async def action_failed(self, attempt: Attempt, answer: LastAnswer) -> ServiceError:
        """Something of `after_healthy` said no."""
        sentence = f"{self._plan.name} was healthy, but {answer.check} failed"
        return await self._explain(ServiceNotReadyError, sentence, attempt, hint=answer.remedy, answers=(answer,))

    async def unhealthy(self, attempt: Attempt, answer: LastAnswer, restarts: Restarts) -> ServiceError:
        """Liveness failed so often that it counts as an exit."""
        sentence = f"{self._plan.name} was healthy, but answers no more: {answer.check} failed{_spent(restarts)}"
        return await self._explain(ServiceExitedError, sentence, attempt, answers=(answer,), restarts=restarts.count)

    async def not_started(self, attempt: Attempt, error: ServiceStartError | StateDirectoryError) -> EnvspecError:
        """No process came to be; the agent's error says why, and this one also whom a full disk has hit."""
        if isinstance(error, StateDirectoryError):
            return StateDirectoryError(f"{self._plan.name}: {error}", hint=error.hint)
        hint = error.hint or self._plan.hint
        if not hint and "command not found" in str(error):
            hint = pip_hint(self._plan.argv[:1])
        return await self._explain(ServiceStartError, str(error), attempt, hint=hint)

    async def not_executed(self, attempt: Attempt) -> ServiceError:
        """A process came to be, but its program was not executed within `start_timeout`."""
        name, timeout = self._plan.name, format_seconds(self._plan.start_timeout)
        why = f"its process was made, but had not executed {' '.join(self._plan.argv[:1])} yet"
        return await self._explain(
            ServiceStartError,
            f"{name} did not start within its start_timeout of {timeout}: {why}",
            attempt,
            hint="what keeps it is most often the disk that the program is on, such as a network mount that hangs",
        )

    async def hear_last_answers(self) -> None:
        """Return when the agent has told how often which validator was asked, and whatever it had to say before."""
        with suppress(EnvspecError, TimeoutError):  # then the answers that were told on the way have to do
            await asyncio.wait_for(self._run.agent.request("answers", replica=self._plan.name), LAST_ANSWERS)

    @property
    def _is_task(self) -> bool:
        return any(item.name == self._plan.service and item.kind == "task" for item in self._run.plan.services)

    async def _explain(
        self, kind: type[ServiceError], sentence: str, attempt: Attempt, **facts: object
    ) -> ServiceError:
        run = self._run
        disk = shortage()
        failure = Failure(
            kind,
            f"{sentence}; {disk}" if disk else sentence,  # not below it: a loss is told by its first line alone
            self._plan.name,
            replica=self._plan,
            answers=attempt.failing(self._plan.health),
            seconds=time.monotonic() - attempt.spawned,
            held_up=held_up(
                run.plan, self._plan.service, run.waiting, in_line(run.plan, self._plan, run.order.is_healthy)
            ),
            log_tail=await read_tail(run.agent, self._plan.name, run.log.redact),
        )
        hints = [str(facts.get("hint", "")), await self._hint_in_use(failure.log_tail), FULL_DISK if disk else ""]
        facts["hint"] = "\n".join(filter(None, hints))
        return replace(failure, **facts).error(run.log.redact)  # type: ignore[arg-type]  # facts are fields

    async def _hint_in_use(self, log_tail: Iterable[str]) -> str:
        """What to do where a server could not bind: somebody listens there, or most likely its port is held for it."""
        plan = self._plan
        if plan.attached or not any(map(IN_USE.search, log_tail)):
            return ""
        held = [name for name, block in plan.listens.items() if not {end.port for end in block} <= set(plan.release)]
        taken = await self._taken()
        if taken or not held:
            return taken
        return (
            f"if the address in use is that of its port {held[0]}: the server sets neither SO_REUSEADDR nor "
            f"SO_REUSEPORT, so it cannot bind where envspec holds the number for it; write `{held[0]}: "
            "{hold: release}` under `ports`"
        )

    async def _taken(self) -> str:
        """Say which of its ports somebody listens on, now that it has ended itself."""
        named = {end.port: name for name, block in self._plan.listens.items() for end in block}
        try:
            answer = await self._run.agent.request("listeners", ports=list(named))
        except EnvspecError:
            return ""
        by = {int(number): who for number, who in answer["listeners"].items()}
        return "\n".join(f"its port {named[number]}: port {number} is listened on by {by[number]}" for number in by)


def _spent(restarts: Restarts) -> str:
    return f", and its restarts ran out ({restarts.ran_out})" if restarts.ran_out else ""


def environment_not_ready(plan: Plan, answers: Iterable[LastAnswer], redact: Redact) -> ServiceError:
    """Return the error for an environment whose services are healthy and whose `ready` never passed."""
    failing = tuple(item for item in answers if not item.passed and item.tries)
    remedy = next((item.remedy for item in failing if item.remedy), "")
    timeout = f" within {format_seconds(plan.start_timeout)}" if plan.start_timeout else ""
    return Failure(
        EnvironmentNotReadyError,
        f"every service of {plan.environment} is healthy, but `ready` {'cannot pass' if remedy else 'did not pass'}"
        f"{'' if remedy else timeout}",
        plan.environment,
        hint=remedy or "if it only needs longer, raise the environment's `start_timeout`",
        answers=failing,
    ).error(redact)
