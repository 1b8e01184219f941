"""Faults: what is done to a service on purpose, and when."""

from __future__ import annotations

from typing import Literal

from envspec.plan.toxics import NOTHING, Toxics
from envspec.record import Record

FaultAction = Literal["kill", "pause", "resume", "stop", "start", "restart", "kill_child"]
EndpointAction = Literal["latency", "drop", "throttle", "reset", "heal"]
Milestone = Literal["", "started", "listening", "healthy", "first_healthy"]

UNDONE_BY: dict[str, str] = {"pause": "resume", "stop": "start"}
"""What ends a fault that lasts for a time."""


class Order(Record):
    """One thing to do to a service, or to one replica of it, or to what passes through its `port`.

    `signal` (a name, without SIG) is for kill and kill_child, which sends it to the one descendant whose name or
    command line contains `child`. `wipe` empties the replica's directory after a stop, or within a restart.
    An action on a port takes what it says from `toxics`; `heal` ends the action `heals`, or all of them. With `by`, the
    name of one order, it ends only that which bears it.
    """

    action: str
    target: str
    signal: str = "KILL"
    child: str = ""
    wipe: bool = False
    port: str = ""
    toxics: Toxics = NOTHING
    heals: str = ""
    by: str = ""

    @property
    def whom(self) -> str:
        """Whom it is done to: a service, a replica, or an endpoint of either."""
        return f"{self.target}.{self.port}" if self.port else self.target

    def __str__(self) -> str:
        return f"{self.action} {self.whom}"


def undoing(order: Order) -> Order | None:
    """Return what ends that which an order begins; None where that does not last."""
    if order.port and order.action != "heal":
        return Order("heal", order.target, port=order.port, heals=order.action, by=order.by)
    action = UNDONE_BY.get(order.action)
    return Order(action, order.target) if action is not None else None


class Moment(Record):
    """`delay` seconds after something has happened for the first time.

    `milestone` of the environment is `started` (the session has begun), `first_healthy` (its first replica is) or
    `healthy` (all of it is); of a `target`, a service or a replica, `started`, `listening` or `healthy`, which a
    service is when all its replicas are. Empty, it is the moment from which the faults are looked after at all.
    """

    milestone: Milestone = ""
    target: str = ""
    delay: float = 0.0


class Fault(Record):
    """An order for later. One that `lasts` so many seconds is undone then (`undoing`).

    `where` names it for people, `faults[0]`; `position` is its `file:line:column`.
    """

    after: Moment
    order: Order
    lasts: float | None = None
    where: str = ""
    position: str = ""
