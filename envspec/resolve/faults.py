"""Faults, from what the file says to the plan's: whom they name looked up, moments as seconds."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from envspec.plan.fault import Fault
from envspec.spec.diagnostics import suggest
from envspec.spec.environment import Environment, position
from envspec.spec.fault_spec import OF_ENDPOINTS, FaultSpec, Problem, problems
from envspec.spec.findings import Findings, growth
from envspec.spec.nodes import ListNode, MapNode, Node, node_at, plain_data


def faults_of(nodes: Node, environment: Environment, findings: Findings) -> tuple[Fault, ...]:
    """Return the faults of a file; what is wrong is noted, and what is about a disabled service is left out."""
    services = {name: service.replica_names() for name, service in environment.services.items()}
    attached = tuple(name for name, service in environment.services.items() if service.attached is not None)
    faults = []
    for index, node in enumerate(nodes.items if isinstance(nodes, ListNode) else ()):
        fault = _well_formed(node)
        if fault is None:
            continue  # which has been told
        new = growth(findings)
        _note_unanchored(fault, node, findings)
        for problem in (*problems(fault, services, attached), *_unrelayed(fault, environment, findings)):
            mark = node_at(node, (problem.key,))[0].mark
            findings.add(mark, problem.code, problem.message, problem.hint)
        if new or not all(services[name.partition(".")[0]] for name in (fault.order.target, *_awaited(fault))):
            continue
        where = f"faults[{index}]"
        faults.append(Fault(fault.after, fault.order, fault.for_, where, position(node.mark)))
    return tuple(faults)


def _well_formed(node: Node) -> FaultSpec | None:
    try:
        return FaultSpec.model_validate(plain_data(node))
    except ValidationError:
        return None


def _unrelayed(fault: FaultSpec, environment: Environment, findings: Findings) -> Iterator[Problem]:
    """Yield what is wrong with the port of an endpoint's fault, where its service is started here."""
    actions = [action for action in OF_ENDPOINTS if getattr(fault, action) is not None]
    if len(actions) != 1:
        return
    name, port = fault.order.target.partition(".")[0], fault.order.port
    service = environment.services.get(name)
    if service is None or service.attached is not None or ("services", name) in findings.spoiled:
        return
    if port not in service.ports:
        yield Problem(actions[0], "unknown-port", f"{name} has no port '{port}'", suggest(port, service.ports))
    elif not service.ports[port].behind:
        message = f"{name}.{port} has no relay, so nothing can be done to what passes through it"
        yield Problem(actions[0], "no-relay", message, f"under services.{name}.ports write {port}: {{proxy: true}}")


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
