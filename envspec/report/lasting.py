"""What somebody ordered and nobody has undone: a drop, a pause, a kill without a start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from envspec.plan import events as e

PAUSES = {"STOP": "pause", "CONT": "resume"}
"""What a kill amounts to that sends one of these."""


def lasting(events: Iterable[e.Event]) -> list[tuple[e.FaultOrdered, str]]:
    """Return the orders that are still in force after these events of a session, in their order, and what each does."""
    faults = _Faults()
    for event in events:
        faults.hear(event)
    return sorted(faults.in_force(), key=lambda each: each[0].time)


class _Faults:
    """What is in force. Of what passes through a port, several orders of one kind may be: a heal ends the last."""

    def __init__(self) -> None:
        self._ports: list[e.FaultOrdered] = []
        self._paused: dict[str, e.FaultOrdered] = {}
        self._ended: dict[str, e.FaultOrdered] = {}
        self._down: dict[str, e.FaultOrdered] = {}

    def hear(self, event: e.Event) -> None:
        match event:
            case e.FaultOrdered(endpoint=""):
                self._ordered(event)
            case e.FaultOrdered(action="heal"):
                self._healed(event)
            case e.FaultOrdered():
                self._ports.append(event)
            case e.ReplicaExited():
                self._paused.pop(event.replica, None)
                order = self._ended.pop(event.replica, None)
                if order is not None and event.ordered and not event.restarts:
                    self._down[event.replica] = order
            case e.ReplicaSpawned():
                for each in (self._paused, self._ended, self._down):
                    each.pop(event.replica, None)

    def in_force(self) -> Iterator[tuple[e.FaultOrdered, str]]:
        for order in self._ports:
            much = f" ({order.detail})" if order.detail else ""
            yield order, f"{order.action} on {order.replica}.{order.endpoint}{much}"
        for order in self._paused.values():
            yield order, f"{order.replica} is paused"
        for order in self._down.values():
            done = "stopped" if order.action == "stop" else "killed"
            yield order, f"{order.replica} was {done} on request and not started again"

    def _ordered(self, order: e.FaultOrdered) -> None:
        match PAUSES.get(order.signal, order.action):
            case "pause":
                self._paused.setdefault(order.replica, order)
            case "resume":
                self._paused.pop(order.replica, None)
            case "kill" | "kill_child" | "stop":
                self._ended[order.replica] = order
            case "restart":
                self._ended.pop(order.replica, None)

    def _healed(self, heal: e.FaultOrdered) -> None:
        there = [
            order
            for order in self._ports
            if (order.replica, order.endpoint) == (heal.replica, heal.endpoint) and heal.detail in ("", order.action)
        ]
        for order in there[-1:] if heal.detail else there:
            self._ports.remove(order)
