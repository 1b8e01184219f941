"""One live run of an environment: from a request to healthy, and down again."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from envspec.agent.sweep import sweep
from envspec.agent.wire import Message
from envspec.backends.base import Backend
from envspec.backends.local import LocalBackend
from envspec.backends.table import BACKENDS
from envspec.errors import BackendError, ServiceError, UsageError
from envspec.plan import events as e
from envspec.plan.fault import Order
from envspec.plan.outline import Outline
from envspec.plan.plan import Plan
from envspec.session import opening
from envspec.session.agent_client import AgentClient
from envspec.session.control_server import ControlServer, Conversation
from envspec.session.event_log import EventLog
from envspec.session.faults import Faults
from envspec.session.identity import noted_identity
from envspec.session.log_chunk import LogChunk
from envspec.session.notices import tell
from envspec.session.outcome import failed_event, stopped_before, takes_no_orders
from envspec.session.programs import check_programs
from envspec.session.registry import clean
from envspec.session.renewal import Renewal
from envspec.session.request import Request
from envspec.session.state import finish_session_directory
from envspec.session.status import SessionStatus, apply, planned
from envspec.session.supervisor import Supervisor
from envspec.spec.find import name_of


class Session:
    """One run. Make it inside a running event loop, `start` it, and `stop` it whatever `start` said.

    `outline`, `plan` and `directory` are there as soon as `start` has come so far; `status` always is.
    """

    outline: Outline
    plan: Plan
    directory: Path

    def __init__(self, request: Request, backend: Backend | None = None) -> None:
        if backend is None and request.backend not in BACKENDS:
            raise UsageError(f"there is no backend {request.backend!r}", hint=f"there are: {', '.join(BACKENDS)}")
        self.id = ""
        self.status = SessionStatus(id="", environment=name_of(request.file), file=str(request.file))
        self._request = request
        self._backend = backend or BACKENDS[request.backend]()
        self._log = EventLog(request.environ, request.sets)
        self._log.subscribe(self._apply)
        self._agent: AgentClient | None = None
        self._supervisor: Supervisor | None = None
        self._faults: Faults | None = None
        self._control = ControlServer(self)
        self._starting: asyncio.Task[None] | None = None
        self._down: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._reason = ""
        self._over = asyncio.Event()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown of what services write: the caller's secrets, and those of the plan."""
        return self._log.secrets

    def subscribe(self, callback: Callable[[e.Event], None]) -> Callable[[], None]:
        """Call `callback` with every event, those that happened already first; returns what ends that."""
        return self._log.subscribe(callback)

    async def start(self) -> None:
        """Return when the environment is healthy. Cancelled, it takes everything down first.

        Raises:
            EnvspecError: it did not start. Nothing of it is left then, but for a service's failure with
                `keep_on_failure`, which leaves what runs to be looked at until `stop`.
            StoppedError: somebody called `stop` meanwhile.
        """
        self._starting = asyncio.create_task(self._bring_up())
        try:
            await asyncio.wait([self._starting])
        except asyncio.CancelledError:
            await self.stop("the start was cancelled")
            raise
        if self._starting.cancelled():
            await self._over.wait()
            raise self._error or stopped_before(self.status.environment, self._reason)
        if (error := self._starting.exception()) is not None:
            await self._give_up(error)
            raise error

    async def stop(self, reason: str, *, force: bool = False) -> None:
        """Take everything down in reverse order and return when nothing is left. Safe at any time, and repeatable.

        `force` does not wait for services to end in their own time: the stream is closed, upon which the agent gives
        them a second.

        Raises:
            ServiceStopError: something survived SIGKILL.
        """
        try:
            await self.wait_down(reason, force=force)
        finally:
            await self._over.wait()

    async def wait_down(self, reason: str, *, force: bool = False) -> None:
        """Do as `stop` does, but return before the control socket is closed, for who has to answer through it.

        Raises:
            ServiceStopError: something survived SIGKILL.
        """
        down = self._begin_end(reason)
        if force and self._agent is not None:
            await self._agent.close()
        await asyncio.shield(down)

    async def wait_over(self) -> None:
        """Return when nothing runs any more, whether somebody stopped it or it failed."""
        await self._over.wait()

    async def fault(self, order: Order) -> None:
        """Do what is ordered to a service or a replica, and return when it is done (envspec.session.faults).

        Raises:
            UsageError: there is no such action or service, or it does not run.
            ServiceError: it did not become healthy again.
        """
        if self._faults is None or self._down is not None:
            raise takes_no_orders(self.status, ending=self._down is not None)
        await self._faults.carry_out(order)

    def offer(self, verb: str, conversation: Conversation) -> None:
        """Answer one verb more on the control socket."""
        self._control.offer(verb, conversation)

    def record(self, event: e.Event) -> None:
        """Tell what happened to the session as a whole."""
        self._log.record(event)

    async def renew(self) -> None:
        """Verify that every service is healthy, and reset it for the next user.

        Raises:
            ServiceError: that failed.
        """
        if self._supervisor is None or self._faults is None or self._agent is None or self._down is not None:
            raise UsageError(f"the session {self.id} is {self.status.state}")
        await Renewal(self.plan, self._supervisor.replicas.values(), self._agent, self._faults).renew()

    async def tie(self, pid: int) -> None:
        """Let a process that we started end with us, should we be killed. Does nothing where there is no agent."""
        if self._agent is not None:
            with suppress(BackendError):
                await self._agent.request("tie", pid=pid)

    async def read_log(self, replica: str, offset: int, limit: int) -> LogChunk:
        """Return a piece of what a replica wrote; a negative `offset` counts from the end.

        Raises:
            BackendError: there is no such log, or no agent any more; the file is in the session's directory.
        """
        if self._agent is None:
            raise UsageError(f"the session {self.id} is {self.status.state}: nothing has been written yet")
        answer = await self._agent.request("log", replica=replica, offset=offset, limit=limit)
        return LogChunk(base64.b64decode(answer["data"]), answer["offset"], answer["size"], answer["start"])

    async def _bring_up(self) -> None:
        stream = await self._backend.open()
        self._agent = agent = AgentClient(stream, self._take)
        draft = opening.read(self._request)
        self.outline = draft.outline
        clean()
        self.directory, listener = opening.take_directory(
            self.outline, self._backend.name, detached=self._request.detached
        )
        self._exists()
        await self._control.open(listener)
        hello = await agent.hello(
            self._backend.ttl, session=self.id, directory=str(self.directory), folder=self.outline.directory
        )
        supply = await opening.supply(self.outline, agent, self.directory, hello["tmp"])
        self.plan = draft.plan(supply.bindings)
        self._planned()
        if self._backend.name == LocalBackend.name:
            check_programs(self.plan, supply.bindings.made, self._log)
        self._supervisor = Supervisor(self.plan, agent, self._log, self._request.environ, supply.complete)
        self._faults = Faults(self._supervisor, self._log, self.plan)
        agent.lost.add_done_callback(lambda _: self._agent_lost(agent))
        noted = noted_identity(draft, self._request, supply.bindings.commits, self.directory, self._supervisor.begun)
        _, identity = await asyncio.gather(self._supervisor.start(), noted)
        self._log.record(e.SessionIdentified(identity=identity))
        self._log.record(e.SessionHealthy(seconds=time.monotonic() - self._log.begin))
        self._keeping = asyncio.create_task(asyncio.to_thread(draft.keep))

    def _exists(self) -> None:
        self.id = self.directory.name
        name, file = self.outline.name, self.outline.file
        self.status = replace(self.status, id=self.id, environment=name, file=file, dir=str(self.directory))
        opening.announce(self.outline, self.directory, self._backend.name, self._log)

    def _planned(self) -> None:
        self._log.hide(self.plan)
        opening.write_plan(self.plan, self.directory, self._log.redact)
        self.status = planned(self.status, self.plan)
        self._log.record(e.PortsLeased(ports={replica.name: replica.ports for replica in self.plan.replicas}))

    def _apply(self, event: e.Event) -> None:
        self.status = apply(self.status, event)

    def _take(self, notice: Message) -> None:
        if self._supervisor is not None:
            self._supervisor.take(notice)
        else:
            tell(self._log, notice)

    def _agent_lost(self, agent: AgentClient) -> None:
        """End a session whose agent has died; while it starts, the start itself meets the same error."""
        if self._down is None and self._starting is not None and self._starting.done():
            self._error = agent.lost.result()
            self._begin_end("the agent is gone")

    async def _give_up(self, error: BaseException) -> None:
        """See to what a start that failed leaves behind."""
        if self._request.keep_on_failure and self._supervisor is not None and isinstance(error, ServiceError):
            self._log.record(failed_event(error))
            return
        self._error = error
        await self.stop("the start failed")

    def _begin_end(self, reason: str) -> asyncio.Task[None]:
        if self._down is None:
            self._reason = reason
            self._down = asyncio.create_task(self._take_down(reason))
            self._closing = asyncio.create_task(self._close_after(self._down))
        return self._down

    async def _close_after(self, down: asyncio.Task[None]) -> None:
        try:
            await asyncio.wait([down])
            await self._control.close()
        finally:
            self._over.set()  # also where the loop ends first: whoever waits for this would else keep it

    async def _take_down(self, reason: str) -> None:
        began = time.monotonic()
        await _cancelled(self._starting)
        if self.id:
            self._log.record(e.SessionStopping(reason=reason))
        try:
            errors = await self._supervisor.stop() if self._supervisor is not None else []
        finally:
            forced = await self._let_agent_go()
        lost = self._agent.lost_but_for(self._error) if self._agent is not None else []
        for problem in (*errors, *([forced] if forced else lost)):
            self._log.record(e.Warned(message=str(problem)))
        if self.id:
            self._log.record(e.SessionStopped(seconds=time.monotonic() - began))
        if self._error is not None:
            self._log.record(failed_event(self._error))
        await self._put_away()
        if errors and self._error is None:
            raise errors[0]

    async def _put_away(self) -> None:
        """Leave behind what is worth keeping of a session that is over."""
        if self._keeping is not None:
            await asyncio.wait([self._keeping])
        self._log.close()
        if self.id:
            finish_session_directory(self.directory)

    async def _let_agent_go(self) -> str:
        """Close the agent, and whatever the backend borrowed for it: all leases end with that.

        Returns a sentence on what had to be ended by force, empty where nothing had.
        """
        if self._agent is not None:
            await self._agent.leave()
        forced = await self._backend.close()
        if forced and self.id:
            sweep(self.directory)
        return forced


async def _cancelled(task: asyncio.Task[None] | None) -> None:
    if task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task])
