"""What each kind of failure is called, and what to do about it."""

from __future__ import annotations

import asyncio
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
)
from envspec.plan.plan import Plan, ReplicaPlan
from envspec.session.attempt import Attempt, Exit, LastAnswer
from envspec.session.event_log import Redact
from envspec.session.failure import Failure, ending, held_up
from envspec.session.log_tail import read_tail
from envspec.session.room import shortage
from envspec.session.run import Run
from envspec.units import format_seconds

FULL_DISK = "free some space there, or point ENVSPEC_STATE_DIR at another disk"
LAST_ANSWERS = 1.0
"""Seconds for the agent to bring its answers up to date: how often a validator was asked is told only on request."""


class Explainer:
    """Turns what happened to one replica into the error that tells it."""

    def __init__(self, run: Run, plan: ReplicaPlan) -> None:
        self._run = run
        self._plan = plan

    async def exited(self, attempt: Attempt, ended: Exit, restarts: int) -> ServiceError:
        """The process ended, and should not have."""
        seconds = ended.at - attempt.spawned
        when = f"{format_seconds(seconds)} after its start"
        before = "" if attempt.healthy.done() or self._is_task else ", before it was healthy"
        hint = ""
        if ended.exit_code == 0 and not self._is_task:
            hint = "a service runs until it is stopped; if this one is meant to end, say `kind: task`"
        return await self._explain(
            ServiceExitedError,
            f"{self._plan.name} {ending(ended, ordered=attempt.signalled is not None)} {when}{before}",
            attempt,
            hint=hint,
            exit=ended,
            seconds=seconds,
            restarts=restarts,
        )

    async def not_ready(self, attempt: Attempt, restarts: int) -> ServiceError:
        """The start took longer than `start_timeout`."""
        with suppress(EnvspecError, TimeoutError):  # then the answers that were told on the way have to do
            await asyncio.wait_for(self._run.agent.request("answers", replica=self._plan.name), LAST_ANSWERS)
        what = "did not finish" if self._is_task else "did not become healthy"
        timeout = format_seconds(self._plan.start_timeout)
        return await self._explain(
            ServiceNotReadyError,
            f"{self._plan.name} {what} within its start_timeout of {timeout}",
            attempt,
            hint="if it only needs longer, raise `start_timeout` of the service",
            restarts=restarts,
        )

    async def action_failed(self, attempt: Attempt, answer: LastAnswer) -> ServiceError:
        """Something of `after_healthy` said no."""
        sentence = f"{self._plan.name} was healthy, but {answer.check} failed"
        return await self._explain(ServiceNotReadyError, sentence, attempt, answer=answer)

    async def unhealthy(self, attempt: Attempt, answer: LastAnswer) -> ServiceError:
        """Liveness failed so often that it counts as an exit."""
        sentence = f"{self._plan.name} was healthy, but answers no more: {answer.check} failed"
        return await self._explain(ServiceExitedError, sentence, attempt, answer=answer)

    async def not_started(self, attempt: Attempt, error: ServiceStartError) -> ServiceError:
        """No process came to be; the agent's error says why."""
        hint = error.hint or self._plan.hint
        return await self._explain(ServiceStartError, str(error), attempt, hint=hint)

    @property
    def _is_task(self) -> bool:
        return any(item.name == self._plan.service and item.kind == "task" for item in self._run.plan.services)

    async def _explain(
        self, kind: type[ServiceError], sentence: str, attempt: Attempt, **facts: object
    ) -> ServiceError:
        failure = Failure(
            kind,
            sentence,
            self._plan.name,
            replica=self._plan,
            answer=attempt.pending(),
            seconds=time.monotonic() - attempt.spawned,
            held_up=held_up(self._run.plan, self._plan.service, self._run.waiting),
            log_tail=await read_tail(self._run.agent, self._plan.name),
            disk=shortage(),
        )
        if failure.disk:
            facts["hint"] = "\n".join(filter(None, [str(facts.get("hint", "")), FULL_DISK]))
        return replace(failure, **facts).error(self._run.log.redact)  # type: ignore[arg-type]  # facts are fields


def environment_not_ready(plan: Plan, answers: Iterable[LastAnswer], redact: Redact) -> ServiceError:
    """Return the error for an environment whose services are healthy and whose `ready` never passed."""
    timeout = f" within {format_seconds(plan.start_timeout)}" if plan.start_timeout else ""
    return Failure(
        EnvironmentNotReadyError,
        f"every service of {plan.environment} is healthy, but `ready` did not pass{timeout}",
        plan.environment,
        hint="if it only needs longer, raise the environment's `start_timeout`",
        answer=next((item for item in answers if not item.passed), None),
    ).error(redact)
