"""Carries a plan out: all replicas at once, each in its own time; and takes it down in reverse order."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Iterable, Mapping
from typing import Any

from envspec.agent.wire import Message
from envspec.errors import AgentLostError, EnvspecError, ServiceStartError
from envspec.plan import events as e
from envspec.plan.codec import to_json
from envspec.plan.plan import Plan, ServicePlan
from envspec.session.agent_client import AgentClient
from envspec.session.attempt import last_answer
from envspec.session.event_log import EventLog
from envspec.session.explain import environment_not_ready
from envspec.session.models import Models
from envspec.session.notices import tell
from envspec.session.order import Order, in_reverse
from envspec.session.relays import Relays
from envspec.session.replica import Replica
from envspec.session.run import Run
from envspec.session.unknown_name import unknown_name
from envspec.units import format_seconds

READY_TIMEOUT = 60.0
"""Seconds for `ready` where the file gives the environment no `start_timeout`: the default of services, too."""


class Supervisor:
    """The replicas of one session, and what happens to them. `complete` are models that are there already."""

    def __init__(
        self, plan: Plan, agent: AgentClient, log: EventLog, environ: Mapping[str, str], complete: Collection[str] = ()
    ) -> None:
        self._plan = plan
        self._agent = agent
        self._log = log
        self._environ = environ
        run = Run(plan, agent, log, Order(plan), self._is_up, self._is_lost, {item.name for item in plan.services})
        self.replicas = {
            replica.name: Replica(run, service, replica) for service in plan.services for replica in service.replicas
        }
        self._failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self.relays = Relays(plan, agent)
        self._models = Models(run, complete, self._fail)
        self._lost: set[str] = set()
        self._kept_down: dict[str, asyncio.TimerHandle] = {}
        self._one_is_up = asyncio.Event()
        self._started = False
        self.begun = asyncio.Event()
        """Set when the first service runs, or the start is over: what can wait should not compete with that."""

    def take(self, notice: Message) -> None:
        """Hear a notice of the agent. One without a replica is about `ready`, or about the agent itself."""
        replica = self.replicas.get(notice.get("replica", ""))
        if replica is not None and notice["notice"] != "warning":
            replica.take(notice)
        else:
            tell(self._log, notice)

    async def start(self) -> None:
        """Return when every service is healthy, every task done, and `ready` has passed.

        Raises:
            EnvspecError: something failed; whatever runs, goes on running.
        """
        end = self._log.subscribe(self._see_begin)
        try:
            await self.relays.open()
            for replica in self.replicas.values():
                replica.begin()
            self._models.begin()
            while not self._started:
                await self._unless_failed(self._all_up())
                if self._plan.ready:
                    await self._unless_failed(self._ready())
                self._started = self._is_whole  # one may have been restarted since
        finally:
            end()
            self.begun.set()

    def _see_begin(self, event: e.Event) -> None:
        if isinstance(event, e.ReplicaSpawned | e.ReplicaHealthy):
            self.begun.set()

    async def stop(self) -> list[EnvspecError]:
        """Take everything down, those that are depended on last; return what went wrong with that."""
        await self._models.leave()
        await asyncio.gather(*(replica.leave() for replica in self.replicas.values()))
        errors: list[EnvspecError] = []

        async def stop(service: ServicePlan) -> None:
            for replicas in self._stop_groups(service):
                results = await asyncio.gather(*(replica.take_down() for replica in replicas), return_exceptions=True)
                errors.extend(_errors_in(results))

        await in_reverse(self._plan, stop)
        return errors

    def _stop_groups(self, service: ServicePlan) -> list[list[Replica]]:
        """Return the replicas in the groups in which they go down: one after the other where they start so."""
        replicas = [self.replicas[replica.name] for replica in service.replicas]
        return [[replica] for replica in reversed(replicas)] if service.start == "ordered" else [replicas]

    def select(self, name: str) -> list[Replica]:
        """Return the replica of this name, or all replicas of the service of this name.

        Raises:
            UsageError: there is neither.
        """
        found = [replica for replica in self.replicas.values() if name in (replica.plan.name, replica.service.name)]
        if not found:
            services = {item.name: [replica.name for replica in item.replicas] for item in self._plan.services}
            raise unknown_name(name, self._plan.environment, services)
        return found

    @property
    def _is_whole(self) -> bool:
        return all(replica.is_up for replica in self.replicas.values())

    def keep_down(self, replica: Replica) -> None:
        """Note that a user has stopped a replica. A start waits for it as long as it would wait for its health."""
        name, patience = replica.plan.name, replica.plan.start_timeout
        replica.keep_down()
        self.note_lost(name, f"{name} was stopped on request")
        if (former := self._kept_down.pop(name, None)) is not None:
            former.cancel()
        if not self._started:
            loop = asyncio.get_running_loop()
            self._kept_down[name] = loop.call_later(patience, self._fail_if_kept_down, replica)

    def _fail_if_kept_down(self, replica: Replica) -> None:
        if replica.kept_down and not self._started:
            name, patience = replica.plan.name, format_seconds(replica.plan.start_timeout)
            message = f"{name} was stopped on request, and not started again within its start_timeout of {patience}"
            self._fail(ServiceStartError(message, service=name))

    def note_lost(self, name: str, message: str) -> None:
        """Say that a healthy environment is whole no more."""
        self._lost.add(name)
        if self._started:
            self._log.record(e.SessionDegraded(replica=name, message=message))

    def _is_lost(self, name: str, error: BaseException) -> None:
        if isinstance(error, AgentLostError):
            return  # the session itself is over, and says so
        if not self._started:
            self._fail(error)
        self.note_lost(name, str(error).partition("\n")[0])

    def _fail(self, error: BaseException) -> None:
        """Fail the start; what is heard first counts."""
        if not self._failed.done():
            self._failed.set_result(error)

    def _is_up(self, name: str) -> None:
        was_lost = name in self._lost
        self._lost.discard(name)
        if self._started and was_lost and not self._lost:
            self._log.record(e.SessionRecovered())
        self._one_is_up.set()

    async def _all_up(self) -> None:
        """Return when all are up at once, and the files of all models are complete."""
        while not self._is_whole:
            self._one_is_up.clear()
            await self._one_is_up.wait()
        await self._models.wait()

    async def _unless_failed(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work`, or raise what failed meanwhile."""
        task = asyncio.create_task(work)
        either: list[asyncio.Future[Any]] = [task, self._failed, self._agent.lost]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if self._failed.done():
                raise self._failed.result()
            if self._agent.lost.done():
                raise self._agent.lost.result()
            task.result()
        finally:
            task.cancel()

    async def _ready(self) -> None:
        timeout = self._plan.start_timeout or READY_TIMEOUT
        answer = await self._agent.request(
            "check",
            key="ready",
            checks=[to_json(check) for check in self._plan.ready],
            replica="",
            env=dict(self._environ),
            cwd=self._plan.directory,
            mode="until",
            timeout=timeout,
        )
        if not answer["passed"]:
            raise environment_not_ready(self._plan, [last_answer(item) for item in answer["answers"]], self._log.redact)


def _errors_in(results: Iterable[BaseException | None]) -> Iterable[EnvspecError]:
    """Yield what went wrong with a stop; bugs are raised, and a lost agent took everything with it."""
    for result in results:
        if isinstance(result, EnvspecError):
            if not isinstance(result, AgentLostError):
                yield result
        elif result is not None:
            raise result
