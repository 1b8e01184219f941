"""Faults, from what the file says to the plan's: whom they name looked up, moments as seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pydantic import ValidationError

from envspec.plan.fault import Fault, Order, undoing
from envspec.spec.diagnostics import suggest
from envspec.spec.environment import Environment, position
from envspec.spec.fault_spec import FaultSpec, Problem, problems
from envspec.spec.findings import Findings, growth
from envspec.spec.nodes import ListNode, MapNode, Node, node_at, plain_data


def faults_of(nodes: Node, environment: Environment, findings: Findings) -> tuple[Fault, ...]:
    """Return the faults of a file; what is wrong is noted, and what is about a disabled service is left out."""
    services = {name: service.replica_names() for name, service in environment.services.items()}
    attached = tuple(name for name, service in environment.services.items() if service.attached is not None)
    faults = []
    written = nodes.items if isinstance(nodes, ListNode) else ()
    specs = [_well_formed(node) for node in written]
    orders = _orders(specs)
    for index, (fault, node) in enumerate(zip(specs, written, strict=True)):
        if fault is None:
            continue  # which has been told
        new = growth(findings)
        _note_unanchored(fault, node, findings)
        for problem in (*problems(fault, services, attached), *_in_vain(fault, orders, environment, findings)):
            mark = node_at(node, (problem.key,))[0].mark
            findings.add(mark, problem.code, problem.message, problem.hint)
        if new or not all(services[name.partition(".")[0]] for name in (fault.order.target, *_awaited(fault))):
            continue
        where = f"faults[{index}]"
        order = replace(fault.order, by=where)
        faults.append(Fault(fault.after, order, fault.for_, where, position(node.mark)))
    return tuple(faults)


def _well_formed(node: Node) -> FaultSpec | None:
    try:
        return FaultSpec.model_validate(plain_data(node))
    except ValidationError:
        return None


def _orders(faults: Sequence[FaultSpec | None]) -> tuple[Order, ...] | None:
    """Return all that a file orders; None where that cannot be told of each."""
    orders = tuple(fault.order for fault in faults if fault is not None and fault.is_one)
    return orders if len(orders) == len(faults) else None


def _in_vain(
    fault: FaultSpec, orders: tuple[Order, ...] | None, environment: Environment, findings: Findings
) -> Iterator[Problem]:
    """Yield why a fault could never be done, as far as the file alone shows that."""
    if not fault.is_one:
        return
    yield from _unrelayed(fault.order, environment, findings)
    yield from _unheard_of(fault, environment, findings)
    service = environment.services.get(fault.order.target.partition(".")[0])
    if orders is not None and service is not None and service.attached is None:
        yield from _ending_nothing(fault.order, orders)


def _unrelayed(order: Order, environment: Environment, findings: Findings) -> Iterator[Problem]:
    """Yield what is wrong with the port of an endpoint's fault, where its service is started here."""
    name, port = order.target.partition(".")[0], order.port
    service = environment.services.get(name)
    if not port or service is None or service.attached is not None or ("services", name) in findings.spoiled:
        return
    if port not in service.ports:
        yield Problem(order.action, "unknown-port", f"{name} has no port '{port}'", suggest(port, service.ports))
    elif not service.ports[port].behind:
        message = f"{name}.{port} has no relay, so nothing can be done to what passes through it"
        yield Problem(order.action, "no-relay", message, f"under services.{name}.ports write {port}: {{proxy: true}}")


def _unheard_of(fault: FaultSpec, environment: Environment, findings: Findings) -> Iterator[Problem]:
    """Yield why the event of a fault never comes: nobody starts what is attached, or listens where there is no port."""
    name, milestone = fault.after.target.partition(".")[0], fault.after.milestone
    service = environment.services.get(name)
    if service is None or not service.enabled or ("services", name) in findings.spoiled:
        return
    hint = f"after: {fault.after.target}.healthy"
    if service.attached is not None and milestone in ("started", "listening"):
        message = f"{name} is attached: envspec does not see when it starts or begins to listen"
        yield Problem("after", "never-comes", message, hint)
    elif milestone == "listening" and not service.ports:
        yield Problem("after", "never-comes", f"{name} has no ports: it never listens", hint)


def _ending_nothing(order: Order, orders: tuple[Order, ...]) -> Iterator[Problem]:
    """Yield that what an order ends, a pause or a fault of an endpoint, is begun by none. A start ends crashes, too."""
    if order.action not in ("resume", "heal"):
        return
    begun = [other for other in orders if (end := undoing(other)) is not None and end.action == order.action]
    if not any(other.port == order.port and _overlap(other.target, order.target) for other in begun):
        message = f"no fault of this file {'breaks' if order.port else 'pauses'} {order.whom}"
        yield Problem(order.action, "ends-nothing", message, f"remove it, or add what it should {order.action}")


def _overlap(one: str, another: str) -> bool:
    """Return whether two names, of services or replicas, mean a replica in common."""
    return one == another or f"{one}.".startswith(f"{another}.") or f"{another}.".startswith(f"{one}.")


def _awaited(fault: FaultSpec) -> tuple[str, ...]:
    return (fault.after.target,) if fault.after.target else ()


def _note_unanchored(fault: FaultSpec, node: Node, findings: Findings) -> None:
    """Note a fault that says nothing from which its time could be counted, as only a test's marker may."""
    after = node.get("after") if isinstance(node, MapNode) else None
    if after is None:
        findings.add(node.mark, "missing-key", "a fault of a file needs the key 'after'", "after: healthy + 2s")
    elif not fault.after.milestone:
        message = "this counts from nothing: before the time there stands an event"
        findings.add(after.mark, "wrong-value", message, f"after: healthy + {fault.after.delay:g}s")
