"""`depends_on`: what is awaited of whom, and circles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

from envspec.plan.graph import find_cycles
from envspec.plan.plan import Condition
from envspec.spec.diagnostics import suggest
from envspec.spec.environment import Service
from envspec.spec.findings import Findings
from envspec.spec.inputs import Objects
from envspec.spec.nodes import MapNode, Node, Scalar

CONDITIONS: tuple[Condition, ...] = get_args(Condition)


def conditions_of(node: Node | None, objects: Objects, findings: Findings) -> dict[str, Condition | None]:
    """Return what a service waits for, disabled services left out; None is the default condition."""
    if node is None:
        return {}
    if not isinstance(node, MapNode):
        message = "depends_on is a list of services, or a mapping from services to conditions"
        findings.add(node.mark, "wrong-type", message, _as_list(node))
        return {}
    awaited: dict[str, Condition | None] = {}
    for key, value in node.items:
        name = key.text
        if isinstance(value, Scalar) and value.value is None:
            awaited.pop(name, None)
            continue
        if name not in objects:
            findings.add(key.mark, "unknown-service", f"there is no service '{name}'", suggest(name, objects))
            continue
        if objects[name]["enabled"]:
            awaited[name] = _condition(value, findings)
    return awaited


def _condition(node: Node, findings: Findings) -> Condition | None:
    if isinstance(node, Scalar) and node.value is ...:
        return None
    for condition in CONDITIONS:
        if isinstance(node, Scalar) and node.value == condition:
            return condition
    word = node.text if isinstance(node, Scalar) else "this"
    message = f"'{word}' is not a condition: it is {', '.join(CONDITIONS[:-1])} or {CONDITIONS[-1]}"
    nearest = suggest(word, CONDITIONS)
    findings.add(node.mark, "wrong-value", message, nearest if nearest.startswith("did") else "")
    return None


def _as_list(node: Node) -> str:
    from envspec.spec.corrections import list_hint  # most files are right and never need it

    return list_hint(node.text) if isinstance(node, Scalar) and isinstance(node.value, str) else ""


def note_cycles(services: Mapping[str, Service], findings: Findings) -> None:
    """Note services that wait for one another in a circle, each at the first of them, with the whole circle."""
    enabled = {name: service for name, service in services.items() if service.enabled}
    for circle in find_cycles({name: _awaited(service, enabled) for name, service in enabled.items()}):
        first = min(circle, key=lambda name: (services[name].mark.line, services[name].mark.column))
        names = circle[:-1]
        turned = names[names.index(first) :] + names[: names.index(first)]
        message = f"these services wait for one another: {' → '.join([*turned, first])}"
        findings.add(
            services[first].mark,
            "cycle",
            message,
            "ports are leased before anything starts: not every reference needs depends_on",
        )


def _awaited(service: Service, enabled: Mapping[str, Service]) -> Iterable[str]:
    return [name for name in service.depends_on if name in enabled]
