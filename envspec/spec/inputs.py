"""What a service gives to its catalog entry by `with`, as the entry's templates see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from envspec.record import Record
from envspec.spec.catalog import input_error, value_for
from envspec.spec.catalog_entry import InputSpec
from envspec.spec.dead_ends import note_dead_ends
from envspec.spec.diagnostics import suggest
from envspec.spec.environment import Entry, Service
from envspec.spec.findings import Findings, growth
from envspec.spec.layers import is_null
from envspec.spec.nodes import Mark, Node
from envspec.spec.scope import LANGUAGE
from envspec.spec.template import references, render

Objects = Mapping[str, Mapping[str, Any]]
"""Services or models by name, as templates see them."""


_REFUSED = object()
"""Stands for a model that is wrong where it is declared, which was told there."""


class Surroundings(Record):
    """What `with` is evaluated in: the caller's names, and the objects that `model` and `service` inputs may name.

    `services` is None while it is not known yet which services are enabled.
    """

    scope: Mapping[str, object]
    models: Objects
    services: Objects | None


def check_given(
    entry: Entry, given: Mapping[str, Node], use: Mark, keys: Mapping[str, Mark], findings: Findings
) -> None:
    """Note values for inputs that do not exist, and inputs without value or default. Once per service."""
    for name in given:
        if name not in entry.inputs and name not in entry.faulty:
            findings.add(
                keys[name],
                "unknown-input",
                f"the entry '{entry.name}' has no input '{name}'",
                suggest(name, entry.inputs),
            )
    for name, spec in entry.inputs.items():
        if _is_missing(entry, name, given.get(name)) and ("inputs", name) not in findings.spoiled:
            hint = spec.description and f"{name}: {spec.description}"
            findings.add(use, "missing-input", f"the entry '{entry.name}' needs the input '{name}'", hint)


def evaluate(
    service: Service, names: Iterable[str], around: Surroundings, findings: Findings
) -> tuple[dict[str, Any], Findings]:
    """Return the values of the named inputs, and findings by which templates that name a failed one go unjudged."""
    entry = service.entry
    values, failed = {}, list(entry.faulty) if entry is not None else []
    for name in names if entry is not None else ():
        new = growth(findings)
        given = service.given.get(name)
        if _is_missing(entry, name, given) or (given is not None and findings.hangs_on_spoiled([given])):
            failed.append(name)
            continue
        value = _value(service, name, around, findings)
        if new or value is _REFUSED:
            failed.append(name)
        else:
            values[name] = value
    return values, findings.sparing(("inputs", name) for name in failed)


def _is_missing(entry: Entry | None, name: str, given: Node | None) -> bool:
    return entry is not None and is_null(given) and "default" not in entry.inputs[name].model_fields_set


def inputs_of(service: Service) -> Mapping[str, InputSpec]:
    """Return the inputs of the entry that a service uses; none where it uses none."""
    return service.entry.inputs if service.entry is not None else {}


def known_in(service: Service, sees: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Return the inputs whose values say only names that a place sees, and the others."""
    inputs = list(inputs_of(service))
    late = [name for name in inputs if name in service.given and not _within(service.given[name], sees)]
    return [name for name in inputs if name not in late], late


def _within(node: Node, sees: tuple[str, ...]) -> bool:
    return all(ref.path[0] in sees or ref.path[0] not in LANGUAGE for ref in references(node))


def _value(service: Service, name: str, around: Surroundings, findings: Findings) -> Any:
    spec, node = inputs_of(service)[name], service.given.get(name)
    if node is not None:
        new = growth(findings)
        written, node = node, render(node, around.scope, findings.diagnostics)
        if new:
            note_dead_ends(written, around.scope, findings)
            return None
    if node is None or is_null(node):
        return _default(spec, name, around, service.mark, findings)
    value = value_for(spec, node)
    problem = input_error(spec, value)
    if problem:
        findings.add(node.mark, "wrong-input", f"the input '{name}' {problem}")
        return None
    return _object(spec, value, node.mark, around, findings)


def _default(spec: InputSpec, name: str, around: Surroundings, mark: Mark, findings: Findings) -> Any:
    if spec.default is None:
        return None
    if spec.type == "service":
        found = (around.services or {}).get(spec.default)
        return found if found and found["enabled"] else None
    if spec.type == "model" and spec.default not in around.models and ("models", spec.default) not in findings.spoiled:
        findings.add(mark, "missing-input", f"the input '{name}' needs a model: there is no '{spec.default}' here")
        return None
    return _object(spec, spec.default, mark, around, findings)


def _object(spec: InputSpec, value: Any, mark: Mark, around: Surroundings, findings: Findings) -> Any:
    if spec.type == "model":
        if ("models", value) in findings.spoiled:
            return _REFUSED
        if value not in around.models:
            findings.add(mark, "unknown-model", f"there is no model '{value}'", suggest(value, around.models))
        return around.models.get(value)
    if spec.type == "service":
        services = around.services or {}
        if value not in services:
            findings.add(mark, "unknown-service", f"there is no service '{value}'", suggest(value, services))
        elif not services[value]["enabled"]:
            findings.add(mark, "disabled-service", f"the service '{value}' is not enabled", "give null where it is not")
        return services.get(value)
    return value
