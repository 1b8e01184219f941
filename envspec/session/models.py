"""The models of a session: got beside the start of its services, each of which waits for its own models only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from typing import Any

from envspec.agent.wire import Message
from envspec.errors import AgentLostError, EnvspecError, ModelUnavailableError
from envspec.plan import events as e
from envspec.plan.codec import to_json
from envspec.plan.plan import ModelPlan
from envspec.session.run import Run


class Models:
    """Gets what is not `complete` yet. `on_failed` hears of the first model that cannot be had."""

    def __init__(self, run: Run, complete: Collection[str], on_failed: Callable[[BaseException], None]) -> None:
        self._run = run
        self._complete = complete
        self._on_failed = on_failed
        self._getting: list[asyncio.Task[None]] = []
        self._warming: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        """Begin with all models that somebody will need; `preload: false` waits for who needs it first."""
        for model in self._run.plan.models:
            if model.name in self._complete:
                self._ready(model, {"path": model.path, "commit": model.commit, "cached": True})
            elif model.preload or self._users(model):
                task = self._begun(self._get(model), self._getting)
                task.add_done_callback(self._ended)

    async def wait(self) -> None:
        """Return when all are there. What could not be had, `on_failed` has heard of."""
        for task in self._getting:
            await asyncio.wait([task])

    async def leave(self) -> None:
        """Give up what is under way."""
        tasks = [task for task in (*self._getting, *self._warming) if not task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            with suppress(AgentLostError):  # then there is no fetcher, either
                await self._run.agent.request("end_fetches")

    async def _get(self, model: ModelPlan) -> None:
        if not model.preload:
            await self._run.order.wanted(model.name)
        self._run.log.record(e.ModelFetching(model=model.name, source=model.source, commit=model.commit))
        try:
            answer = await self._run.agent.request("fetch", model=to_json(model))
        except ModelUnavailableError as error:
            raise self._told(model, error) from error
        self._ready(model, answer)

    def _ready(self, model: ModelPlan, answer: Message) -> None:
        known = ("path", "cached", "commit", "bytes", "total", "seconds")
        self._run.log.record(e.ModelReady(model=model.name, **{key: answer[key] for key in known if key in answer}))
        self._run.order.model_ready(model.name)
        if model.warm:
            self._begun(self._warm(model), self._warming)

    async def _warm(self, model: ModelPlan) -> None:
        """Warm a model; that this failed costs time and nothing else."""
        try:
            answer = await self._run.agent.request("warm", model=to_json(model))
        except AgentLostError:
            return  # the session itself is over, and says so
        except EnvspecError as error:
            self._run.log.record(e.Warned(message=f"the page cache stays cold: {error}"))
            return
        figures = {key: answer[key] for key in ("bytes", "total", "seconds")}
        self._run.log.record(e.ModelWarmed(model=model.name, **figures))

    def _begun(self, work: Coroutine[Any, Any, None], tasks: list[asyncio.Task[None]]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        tasks.append(task)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._on_failed(error)

    def _users(self, model: ModelPlan) -> list[str]:
        return [service.name for service in self._run.plan.services if model.name in service.models]

    def _told(self, model: ModelPlan, error: ModelUnavailableError) -> ModelUnavailableError:
        """Return the error with those that wait for the model."""
        users = self._users(model)
        waiting = f"\n\nwaiting for it: {', '.join(users)}" if users else ""
        return ModelUnavailableError(f"{error}{waiting}", hint=error.hint)
