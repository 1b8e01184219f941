"""The life of one replica, in a task of its own: wait, start, become healthy, be watched, perhaps start again."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from envspec.agent.wire import Message
from envspec.errors import AgentLostError, EnvspecError, ServiceStartError, ServiceStopError
from envspec.plan import events as e
from envspec.plan.codec import from_json
from envspec.plan.plan import Check, ReplicaPlan, ServicePlan
from envspec.session.aftermath import Aftermath
from envspec.session.asking import ask_once
from envspec.session.attempt import Attempt, last_answer
from envspec.session.child import Child
from envspec.session.deadline import Deadline, first
from envspec.session.explain import Explainer
from envspec.session.notices import tell
from envspec.session.restarts import Restarts
from envspec.session.run import Run
from envspec.session.spawning import spawned

STOP_PATIENCE = 10.0
"""Seconds beyond a replica's own time in which the agent must have stopped it: SIGKILL and reaping take it five at the
most. One that is stopped itself, or hangs, would else keep a Ctrl-C waiting for ever."""


class Replica:
    """One running copy of a service, over all its starts.

    `up` is done when it is healthy, or a task has succeeded; its result is the error where that will not happen.
    `is_up` says whether it is so now, which a restart ends for its time; `kept_down` that a user has stopped it.
    """

    def __init__(self, run: Run, service: ServicePlan, plan: ReplicaPlan) -> None:
        self.plan = plan
        self.service = service
        self.attempt: Attempt | None = None
        self.up: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
        self.is_up = self.kept_down = False
        self._run = run
        self._explain = Explainer(run, plan)
        self._starts = 0
        self._restarts = Restarts(service.restart, plan.start_timeout)
        self._life: asyncio.Task[None] | None = None

    @property
    def runs(self) -> bool:
        """Whether it has a process now."""
        return self.attempt is not None and self.attempt.runs

    def begin(self) -> None:
        """Let its life begin, once what it depends on is there, or has been there before."""
        if self.up.done():
            self.up = asyncio.get_running_loop().create_future()
        self.is_up = self.kept_down = False
        self._life = asyncio.create_task(self._live(), name=f"envspec {self.plan.name}")
        self._life.add_done_callback(self._life_over)

    async def leave(self) -> None:
        """End the task that looks after it; the process goes on."""
        life, self._life = self._life, None
        if life is not None and not life.done():
            life.cancel()
            await asyncio.wait([life])

    def keep_down(self) -> None:
        """Note that a user has stopped it, and tell who waits for it to be up."""
        self.kept_down = True
        self.is_up = False
        if not self.up.done():
            name = self.plan.name
            self.up.set_result(ServiceStartError(f"{name} was stopped on request before it was healthy", service=name))

    async def take_down(self) -> None:
        """Stop the process and wait until nothing of it is left.

        Raises:
            ServiceStopError: something of it survived SIGKILL.
        """
        if self.attempt is None or self.plan.attached:
            return
        stop, began = self.plan.stop, time.monotonic()
        ran = self.runs and not self._run.agent.lost.done()  # else it has ended with the agent: nobody stops it
        if ran:
            self._run.log.record(e.ReplicaStopping(replica=self.plan.name, signal=f"SIG{stop.signal}"))
        answer = await self._run.agent.request_within(
            stop.timeout + STOP_PATIENCE, "stop", replica=self.plan.name, signal=stop.signal, timeout=stop.timeout
        )
        if ran:
            seconds = time.monotonic() - began
            self._run.log.record(
                e.ReplicaStopped(replica=self.plan.name, killed=bool(answer.get("killed")), seconds=seconds)
            )
        if survivors := answer.get("survivors"):
            raise ServiceStopError(
                f"of {self.plan.name}, SIGKILL did not end: {', '.join(map(str, survivors))}",
                service=self.plan.name,
                hint="such a process waits inside the kernel, most often for a disk or a device, and ends with that",
            )

    async def signal(self, name: str, scope: str) -> None:
        """Send a signal, ordered by a user, to the leader of the replica, or to its whole tree."""
        self._note(name)
        await self._ask("signal", signal=name, scope=scope)

    async def children(self) -> list[Child]:
        """Return the living descendants of its process."""
        leader = self.attempt.pid if self.attempt is not None else None
        return [from_json(Child, child) for child in (await self._ask("children", leader=leader))["children"]]

    async def signal_child(self, pid: int, name: str) -> None:
        """Send a signal to one descendant of its process; of KILL, returns once that has ended it."""
        self._note(name, pid)
        await self._ask("signal_child", pid=pid, signal=name)

    async def wipe(self) -> None:
        """Empty its directory; the next start writes its `files` again.

        Raises:
            StateDirectoryError: something in it cannot be removed.
        """
        await self._ask("wipe", dir=self.plan.dir)

    def take(self, notice: Message) -> None:
        """Hear what the agent has to say about it; what concerns an earlier start is out of date."""
        attempt = self.attempt
        if attempt is None or notice.get("start", attempt.number) != attempt.number:
            return
        news = attempt.is_news(notice)
        attempt.take(notice)
        if news:
            task = self.service.kind == "task"
            over = notice.get("stopping") or (task and notice.get("exit_code") == 0)
            restarts = not over and self._restarts.would_grant(was_healthy=self.up.done())
            tell(self._run.log, notice, ordered=attempt.ordered, expected=task, restarts=restarts)

    def _note(self, signal: str, child: int = 0) -> None:
        if self.attempt is not None:
            self.attempt.aftermath.sent(signal, time.monotonic(), child)

    async def _ask(self, do: str, **arguments: Any) -> Message:
        return await self._run.agent.request(do, replica=self.plan.name, **arguments)

    async def _live(self) -> None:
        last = await self._wait()
        self._run.waiting.discard(self.service.name)
        self._restarts.begin()
        while True:
            attempt = self._new_attempt(last)
            try:
                error = await self._one_life(attempt)
                if error is None:
                    return
                self.is_up = False
                if not self._restarts.grants(error, was_healthy=self.up.done()):
                    self._lose(error, attempt)
                    return
            finally:
                attempt.settled.set_result(None)
            await self.take_down()
            await asyncio.sleep(self._restarts.pause(time.monotonic() - attempt.spawned))
            last = ""

    def _life_over(self, life: asyncio.Task[None]) -> None:
        # What gets here is the agent's end, or a bug: neither may leave a start waiting.
        if not life.cancelled() and (error := life.exception()) is not None:
            self._give_up(error)

    async def _wait(self) -> str:
        def waiting(missing: tuple[str, ...]) -> None:
            self._run.log.record(e.ReplicaWaiting(replica=self.plan.name, waits_for=missing))

        return await self._run.order.wait(self.service, self.plan, waiting)

    def _new_attempt(self, last: str) -> Attempt:
        self.attempt = Attempt(self._starts, aftermath=Aftermath.of(self.plan))
        self._run.log.record(e.ReplicaStarting(replica=self.plan.name, start=self._starts, last=last))
        self._starts += 1
        return self.attempt

    async def _one_life(self, attempt: Attempt) -> EnvspecError | None:
        """Return why it ended, or None where its end was wanted."""
        try:
            await self._spawn(attempt)
            deadline = Deadline(attempt.spawned, self.plan.start_timeout, self._explain.hear_last_answers)
            if self.service.kind == "task":
                return await self._complete(attempt, deadline)
            await self._become_healthy(attempt, deadline)
        except TimeoutError:
            return await self._explain.not_ready(attempt, self._restarts)
        except EnvspecError as error:
            return error
        return await self._loss(attempt)

    async def _spawn(self, attempt: Attempt) -> None:
        answer = await spawned(self._run.agent, self.plan, attempt, self._explain)
        attempt.spawned = answer.get("at", attempt.spawned)
        if (pid := answer.get("pid")) is not None:
            attempt.pid = pid
            self._run.log.record(
                e.ReplicaSpawned(replica=self.plan.name, pid=pid, argv=self.plan.argv), attempt.spawned
            )
        self._run.order.reach(self.plan, "started")

    async def _complete(self, attempt: Attempt, deadline: Deadline) -> EnvspecError | None:
        """See a task through."""
        if self.plan.health:
            await self._answered(attempt, deadline)
            if attempt.healthy.done():
                self._healthy(attempt, attempt.healthy.result())
        await deadline.first(attempt.exited)
        ended = attempt.exited.result()
        if ended.exit_code != 0:
            return await self._explain.exited(attempt, ended, self._restarts)
        deadline.meet(ended.at)
        self._run.log.record(e.ReplicaSucceeded(replica=self.plan.name, seconds=ended.at - attempt.spawned), ended.at)
        for condition in ("exited", "succeeded", "healthy"):
            self._run.order.reach(self.plan, condition)
        self._is_up()
        return None

    async def _answered(self, attempt: Attempt, deadline: Deadline) -> None:
        """Return when all checks have passed, or it has ended.

        Raises:
            ServiceNotReadyError: one of them never will.
        """
        await deadline.first(attempt.healthy, attempt.exited, attempt.hopeless)
        if not attempt.healthy.done() and not attempt.exited.done():
            raise await self._explain.hopeless(attempt, attempt.hopeless.result())

    async def _become_healthy(self, attempt: Attempt, deadline: Deadline) -> None:
        await self._answered(attempt, deadline)
        if not attempt.healthy.done():
            return  # it ended first
        at = attempt.healthy.result()
        deadline.meet(at)
        for action in self.plan.after_healthy:
            await self._act(attempt, action, deadline)
            at = time.monotonic()
        if attempt.exited.done():
            return
        self._healthy(attempt, at)
        self._is_up()
        if self.plan.liveness is not None:
            await self._ask("watch", every=self.plan.liveness.every, failures=self.plan.liveness.failures)

    async def _act(self, attempt: Attempt, action: Check, deadline: Deadline) -> None:
        asked = asyncio.ensure_future(ask_once(self._run.agent, self.plan, (action,), action.where))
        try:
            await deadline.first(asked, attempt.exited)
            if asked.done() and not asked.result()["passed"]:
                raise await self._explain.action_failed(attempt, last_answer(asked.result()["answers"][0]))
        finally:
            asked.cancel()

    def _healthy(self, attempt: Attempt, at: float) -> None:
        self._run.log.record(e.ReplicaHealthy(replica=self.plan.name, seconds=at - attempt.spawned), at)
        self._run.order.reach(self.plan, "healthy")

    def _is_up(self) -> None:
        self.is_up = True
        if not self.up.done():
            self.up.set_result(None)
        self._run.on_up(self.plan.name)

    async def _loss(self, attempt: Attempt) -> EnvspecError:
        """Wait for the end of a service, and return the error that it is. One that answers no more is ended."""
        await first(attempt.exited, attempt.unhealthy)
        if attempt.exited.done():
            return await self._explain.exited(attempt, attempt.exited.result(), self._restarts)
        error = await self._explain.unhealthy(attempt, attempt.unhealthy.result(), self._restarts)
        try:
            await self.take_down()
        except ServiceStopError as stop:
            self._run.log.record(e.Warned(replica=self.plan.name, message=str(stop)))
        return error

    def _lose(self, error: EnvspecError, attempt: Attempt) -> None:
        if self._run.is_awaited_end(self.service.name, error):
            self._run.order.reach(self.plan, "exited")
            self._is_up()
            return
        ordered = attempt.ordered and attempt.exited.done()
        if not ordered and not isinstance(error, AgentLostError):
            name, kind = self.plan.name, type(error).__name__
            self._run.log.record(e.ReplicaFailed(replica=name, error=kind, message=str(error), hint=error.hint))
        self._give_up(error)

    def _give_up(self, error: BaseException) -> None:
        if not self.up.done():
            self.up.set_result(error)
        self._run.on_lost(self.plan.name, error)
