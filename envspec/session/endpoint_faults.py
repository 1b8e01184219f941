"""Faults between a service and its users, which its relay carries out: the wire is slow, silent or cut."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import replace
from typing import Any, get_args

from envspec.errors import BackendError, UsageError
from envspec.plan import events as e
from envspec.plan.fault import EndpointAction, Order
from envspec.plan.plan import ReplicaPlan
from envspec.plan.toxics import NOTHING, Toxics
from envspec.session.event_log import EventLog
from envspec.session.supervisor import Supervisor
from envspec.units import format_seconds, format_size

ACTIONS: tuple[EndpointAction, ...] = get_args(EndpointAction)
SAYS: Mapping[str, tuple[str, ...]] = {
    "latency": ("latency", "jitter"),
    "drop": ("drop",),
    "throttle": ("rate",),
    "reset": ("reset", "after_bytes"),
}
"""Which toxics an action sets."""


class EndpointFaults:
    """Carries out orders on ports. Different kinds add up; of the same kind the last that lasts is in force."""

    def __init__(self, supervisor: Supervisor, log: EventLog) -> None:
        self._supervisor = supervisor
        self._log = log
        self._lasting: dict[tuple[str, str], tuple[Order, ...]] = {}

    async def carry_out(self, order: Order, position: str = "") -> None:
        """Do what is ordered to the port of a replica, or of all replicas of a service; returns when it is so.

        Raises:
            UsageError: there is no such action, service or port, or no relay before it; says how to get one.
            BackendError: the relay is gone.
        """
        _must_be_sound(order)
        plans = [replica.plan for replica in self._supervisor.select(order.target)]
        for plan in plans:
            _must_be_relayed(plan, order.port)
        await all_of(self._do(order, position, plan.name) for plan in plans)

    async def heal(self) -> None:
        """End whatever is done to ports."""
        await all_of(
            self._do(Order("heal", name, port=port), "", name) for name, port in self._supervisor.relays.ailing()
        )

    async def _do(self, order: Order, position: str, replica: str) -> None:
        place, detail = (replica, order.port), _detail(order)
        self._log.record(
            e.FaultOrdered(replica=replica, action=order.action, endpoint=order.port, detail=detail, position=position)
        )
        before = self._lasting.get(place, ())
        self._lasting[place] = now = _changed(before, order)
        try:
            await self._supervisor.relays.do(*place, _toxics(now))
        except BackendError:
            if self._lasting[place] is now:
                self._lasting[place] = before
            raise


async def all_of(doing: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Return when all of it is done; of what fails, the first is raised then, and nothing goes on behind it."""
    for error in await asyncio.gather(*doing, return_exceptions=True):
        if error is not None:
            raise error


def _changed(lasting: tuple[Order, ...], order: Order) -> tuple[Order, ...]:
    """Return the orders that last once another one is carried out."""
    if order.action != "heal":
        return (*(one for one in lasting if (one.action, one.by) != (order.action, order.by)), order)
    if not order.heals:
        return ()
    return tuple(one for one in lasting if one.action != order.heals or order.by not in ("", one.by))


def _toxics(lasting: tuple[Order, ...]) -> Toxics:
    """Return what some orders come to; each says its part."""
    toxics = NOTHING
    for order in lasting:
        toxics = replace(toxics, **{name: getattr(order.toxics, name) for name in SAYS[order.action]})
    return toxics


def _detail(order: Order) -> str:
    """Say how much of it is ordered."""
    toxics = order.toxics
    match order.action:
        case "latency":
            spread = f" ± {format_seconds(toxics.jitter)}" if toxics.jitter else ""
            return f"{format_seconds(toxics.latency)}{spread}"
        case "throttle":
            return f"{format_size(toxics.rate or 0)}/s"
        case "reset":
            return f"after {format_size(toxics.after_bytes)}" if toxics.after_bytes else ""
        case "heal":
            return order.heals
    return ""


def _must_be_sound(order: Order) -> None:
    toxics = order.toxics
    if order.action not in ACTIONS or order.heals not in ("", *SAYS):
        raise UsageError(
            f"there is no fault {order.heals or order.action!r} of an endpoint", hint=f"there are: {', '.join(ACTIONS)}"
        )
    if order.action == "latency" and not (toxics.latency > 0 and 0 <= toxics.jitter <= toxics.latency):
        raise UsageError("a latency is more than no time, and its jitter no more than itself")
    if order.action == "throttle" and not (toxics.rate or 0) > 0:
        raise UsageError("a throttled endpoint lets some bytes a second pass", hint="drop() lets none pass")
    if order.action == "reset" and toxics.after_bytes < 0:
        raise UsageError("a connection is reset after some bytes, or after none: after_bytes is not negative")


def _must_be_relayed(plan: ReplicaPlan, port: str) -> None:
    if port in plan.relayed:
        return
    if port not in plan.ports:
        raise UsageError(f"{plan.name} has no port {port!r}", hint=f"its ports: {', '.join(plan.ports) or 'none'}")
    raise UsageError(
        f"{plan.name}.{port} has no relay, so nothing can be done to what passes through it",
        hint=f"under services.{plan.service}.ports write {port}: {{proxy: true}}",
    )
