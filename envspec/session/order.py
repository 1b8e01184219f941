"""Who may start when, and who must stop before whom: each in its own time, not in waves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable

from envspec.plan.graph import dependents
from envspec.plan.plan import Plan, ReplicaPlan, ServicePlan

Key = tuple[str, str]
"""A service, a replica or `models.NAME`, and what is awaited of it."""

READY, WANTED = "ready", "wanted"
"""What is awaited of a model, by services and by whoever gets it."""


class Order:
    """What has been reached so far, and futures for what is awaited.

    A condition of a service holds when it holds for all of its replicas. What was reached once stays reached: a
    restart does not concern the services that waited.
    """

    def __init__(self, plan: Plan) -> None:
        self._reached: dict[Key, asyncio.Future[None]] = {}
        self._missing: dict[Key, set[str]] = {}
        self._replicas = {service.name: [replica.name for replica in service.replicas] for service in plan.services}

    def reach(self, replica: ReplicaPlan, condition: str) -> None:
        """Record that `replica` is now started, healthy, exited or succeeded."""
        self._set((replica.name, condition))
        key = (replica.service, condition)
        missing = self._missing.setdefault(key, set(self._replicas[replica.service]))
        missing.discard(replica.name)
        if not missing:
            self._set(key)

    def is_healthy(self, replica: str) -> bool:
        """Return whether a replica has been healthy, so that nobody waits for that any more."""
        return self._future((replica, "healthy")).done()

    def model_ready(self, name: str) -> None:
        """Record that the files of a model are complete."""
        self._set((f"models.{name}", READY))

    async def wanted(self, model: str) -> None:
        """Return when somebody waits for a model and, but for models, for nothing else."""
        await asyncio.wait([self._future((f"models.{model}", WANTED))])

    async def wait(
        self, service: ServicePlan, replica: ReplicaPlan, on_waiting: Callable[[tuple[str, ...]], None]
    ) -> str:
        """Return when `replica` may start, with the name of what came last, or empty when it never waited.

        `on_waiting` is told what is missing, first and whenever it becomes less.
        """
        missing = {future: key for key in _needs(service, replica) if not (future := self._future(key)).done()}
        awaited = tuple(missing)
        last = ""

        def tell() -> None:
            if missing:
                on_waiting(tuple(map(_label, missing.values())))
            self._want(missing.values())

        def reached(future: asyncio.Future[None]) -> None:
            nonlocal last
            last = missing.pop(future)[0]
            tell()

        tell()
        for future in awaited:
            future.add_done_callback(reached)
        try:
            # One after the other: those who wait for the same then start in the order of the file.
            for future in awaited:
                if not future.done():
                    await asyncio.wait([future])
        finally:
            for future in awaited:
                future.remove_done_callback(reached)
        return last

    def _want(self, missing: Collection[Key]) -> None:
        """Say that models are wanted, once they are all that is missing."""
        if all(condition == READY for _, condition in missing):
            for model, _ in missing:
                self._set((model, WANTED))

    def _future(self, key: Key) -> asyncio.Future[None]:
        if key not in self._reached:
            self._reached[key] = asyncio.get_running_loop().create_future()
        return self._reached[key]

    def _set(self, key: Key) -> None:
        future = self._future(key)
        if not future.done():
            future.set_result(None)


def _needs(service: ServicePlan, replica: ReplicaPlan) -> Iterable[Key]:
    yield from service.depends_on.items()
    for model in service.models:
        yield f"models.{model}", READY
    if service.start == "ordered" and replica.index > 0:
        yield service.replicas[replica.index - 1].name, "healthy"


def _label(key: Key) -> str:
    name, condition = key
    return name if condition == READY else f"{name} {condition}"


async def in_reverse(plan: Plan, stop: Callable[[ServicePlan], Awaitable[None]]) -> None:
    """Call `stop` for every service as soon as it has returned for all that depend on it."""
    stopped = {service.name: asyncio.Event() for service in plan.services}
    needed_by = dependents({service.name: service.depends_on for service in plan.services})

    async def stop_in_turn(service: ServicePlan) -> None:
        for name in needed_by[service.name]:
            await stopped[name].wait()
        await stop(service)
        stopped[service.name].set()

    await asyncio.gather(*map(stop_in_turn, plan.services))
