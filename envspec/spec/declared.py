"""Models and requirements, from what files and catalog entries declare."""

from __future__ import annotations

import os
from collections.abc import Iterable

from envspec.plan.outline import Requirements
from envspec.spec import inputs
from envspec.spec.environment import Model, Service
from envspec.spec.findings import Findings, once_for_all
from envspec.spec.inputs import Surroundings
from envspec.spec.layers import is_null, without_null_entries, without_nulls
from envspec.spec.model_source import note_misfits, source_of
from envspec.spec.model_spec import ModelSpec
from envspec.spec.nodes import MapNode, Node, Scalar
from envspec.spec.rendering import Scope, render_node
from envspec.spec.requires_spec import RequiresSpec
from envspec.spec.scope import ENTRY_SHAPE, SHAPE, Place
from envspec.spec.template import references
from envspec.spec.written import known_keys, named, path_beside


def models_of(node: Node | None, scope: Scope, findings: Findings) -> dict[str, Model]:
    """Return the declared models; what is wrong with one is noted, and spoils it."""
    written = {key.text: (key, value) for key, value in named(node, "model", findings) if not is_null(value)}
    models = once_for_all(written, lambda one: _model(*one, scope, findings), findings)
    for name in models:
        if models[name] is None:
            findings.spoil("models", name)
    return {name: model for name, model in models.items() if model is not None}


def _model(key: Scalar, node: Node, scope: Scope, findings: Findings) -> Model | None:
    if not isinstance(node, MapNode):
        message = f"the model '{key.text}' must be a mapping"
        findings.add(node.mark, "wrong-type", message, "such as {repo: org/name} or {synthetic: {architecture: qwen3}}")
        return None
    source = source_of(key, node, findings)
    node = known_keys(node, ModelSpec, f"the model '{key.text}'", findings)
    rendered = render_node("models", node, scope, findings)
    if rendered is None:  # what is wrong beside a template that failed is told with it
        findings.validated(ModelSpec, without_nulls(node))
        note_misfits(node.get("synthetic"), findings)
    rendered = without_null_entries(rendered) if rendered is not None else None
    spec = findings.validated(ModelSpec, rendered) if isinstance(rendered, MapNode) else None
    if spec is None and isinstance(rendered, MapNode):
        note_misfits(rendered.get("synthetic"), findings)
    if spec is None or source is None or not isinstance(rendered, MapNode):
        return None
    options = spec.options(source)
    if isinstance(path := rendered.get("path"), Scalar):
        options["path"] = os.path.abspath(path_beside(path))  # noqa: PTH100  Path has no `..` by text alone
    served = spec.name or options.get("repo") or key.text
    return Model(key.text, served, source, options, spec.preload, spec.warm or "", key.mark, node)


def requirements_of(
    own: RequiresSpec, services: Iterable[Service], around: Surroundings, findings: Findings
) -> Requirements:
    """Return what the host must have: the file's own, and that of the entries of services that will be started."""
    specs = [("", "", own)]
    for service in services:
        entry = service.entry
        if entry is None or entry.requires is None or not service.enabled or service.attached is not None:
            continue
        if ("services", service.name) in findings.spoiled:
            continue
        node = _of_inputs("requires", entry.requires, service, SHAPE, around, findings)
        node = without_null_entries(node) if node is not None else None
        spec = findings.validated(RequiresSpec, node) if isinstance(node, MapNode) else None
        if spec is not None:
            specs.append((service.name, extra_of(service, SHAPE, around, findings), spec))
    return _merged(specs)


def extra_of(service: Service, place: Place, around: Surroundings, findings: Findings) -> str:
    """Return the extra of envspec that provides what a service's entry runs, as its inputs choose it.

    Empty where there is none, and where it hangs on inputs whose values say what is not to be had at `place` yet.
    """
    node = service.entry.extra if service.entry is not None else None
    if node is None or is_null(node):
        return ""
    _, late = inputs.known_in(service, place.sees)
    if {(name,) for name in late} & _inputs_read(node):
        return ""
    rendered = _of_inputs("extra", node, service, place, around, findings)
    if rendered is None or is_null(rendered):
        return ""
    if not isinstance(rendered, Scalar) or not isinstance(rendered.value, str):
        findings.add(node.mark, "wrong-type", "'extra' must be text", "the name of one of envspec's extras")
        return ""
    return rendered.value


def _of_inputs(
    key: str, node: Node, service: Service, place: Place, around: Surroundings, findings: Findings
) -> Node | None:
    """Return a key of a service's entry, rendered with the inputs that it reads; None where that fails."""
    known, _ = inputs.known_in(service, place.sees)
    read = _inputs_read(node)
    values, sparing = inputs.evaluate(service, [name for name in known if (name,) in read], around, findings)
    return render_node(key, node, Scope(ENTRY_SHAPE, {"inputs": values}), sparing)


def _inputs_read(node: Node) -> set[tuple[str | int, ...]]:
    return {reference.path[1:2] for reference in references(node)}


def _merged(specs: list[tuple[str, str, RequiresSpec]]) -> Requirements:
    extras: dict[str, str] = {}
    needed_by: dict[str, tuple[str, ...]] = {}
    for service, extra, spec in specs:
        for what in (*spec.commands, *spec.modules):
            if extra:
                extras.setdefault(what, extra)
            if service:
                needed_by[what] = (*needed_by.get(what, ()), service)
    return Requirements(
        os=_joined(spec.os for _, _, spec in specs),
        commands=_joined(spec.commands for _, _, spec in specs),
        modules=_joined(spec.modules for _, _, spec in specs),
        env=_joined(spec.env for _, _, spec in specs),
        memory=max(spec.memory or 0 for _, _, spec in specs),
        disk=max(spec.disk or 0 for _, _, spec in specs),
        extras=extras,
        needed_by=needed_by,
    )


def _joined(lists: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item for items in lists for item in items))
