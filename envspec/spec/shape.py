"""The shape of services: what can be said of them before anything is leased.

First the layers of each are put together, then it is settled which are enabled and how often each runs, then
everything that may depend on that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from envspec.plan.plan import Endpoint
from envspec.spec import inputs
from envspec.spec.dependencies import conditions_of
from envspec.spec.diagnostics import suggest
from envspec.spec.environment import Model, Port, Service
from envspec.spec.findings import Findings
from envspec.spec.inputs import Objects, Surroundings
from envspec.spec.layers import without_nulls
from envspec.spec.nodes import MapNode, Node, node_at
from envspec.spec.port_spec import PortsSpec
from envspec.spec.ports import attached_of, port_nodes, port_of
from envspec.spec.rendering import Scope, Scopes, render_keys
from envspec.spec.scope import ENTRY_SHAPE, ENTRY_STRUCTURE, SHAPE, STRUCTURE, Place
from envspec.spec.service_spec import ServiceSpec
from envspec.spec.template import references

COUNT_KEYS = ("enabled", "replicas")
SHAPE_KEYS = ("ports", "attach", "models")
STRUCTURE_KEYS = ("kind", "start", "depends_on")
SHAPED = frozenset((*COUNT_KEYS, *SHAPE_KEYS, *STRUCTURE_KEYS, "use", "with"))
"""Keys that are settled here; the others are rendered once there are ports."""


@dataclass(frozen=True, slots=True)
class Shaping:
    """What the shape of a file's services is worked out from."""

    names: Mapping[str, object]
    models: Mapping[str, Model]
    ports: PortsSpec
    findings: Findings

    def model_objects(self) -> dict[str, dict[str, Any]]:
        """Return the models as templates see them before their files are anywhere."""
        return {name: {"name": model.served_name, "repo": None} for name, model in self.models.items()}


def shape_services(layered: Mapping[str, Service], shaping: Shaping) -> dict[str, Service]:
    """Return the services with all that is settled before leasing; what is wrong is noted, and spoils the service."""
    counted = {name: _count(service, shaping) for name, service in layered.items()}
    objects = {name: {"name": name, "enabled": service.enabled} for name, service in counted.items()}
    return {name: _shape(service, objects, shaping) for name, service in counted.items()}


def _count(service: Service, shaping: Shaping) -> Service:
    _, spec = _settle(service, COUNT_KEYS, (SHAPE, ENTRY_SHAPE), None, shaping)
    if spec is None:
        return service
    return replace(
        service,
        enabled=spec.enabled and spec.replicas > 0,
        replicas=spec.replicas,
        replicas_written="replicas" in spec.model_fields_set,
    )


def _shape(service: Service, objects: Objects, shaping: Shaping) -> Service:
    node, spec = _settle(service, SHAPE_KEYS, (SHAPE, ENTRY_SHAPE), objects, shaping)
    structure, more = _settle(service, STRUCTURE_KEYS, (STRUCTURE, ENTRY_STRUCTURE), objects, shaping)
    if spec is None or more is None:
        return service
    ports = _ports(service, node, spec, shaping)
    return replace(
        service,
        kind=more.kind,
        start=more.start,
        description=service.entry.description if service.entry is not None else "",
        ports=ports,
        attached=_attached(service, node, spec, ports, shaping),
        models=_models(node, spec, shaping),
        depends_on=conditions_of(structure.get("depends_on"), objects, shaping.findings),
    )


def _settle(
    service: Service, keys: tuple[str, ...], places: tuple[Place, Place], objects: Objects | None, shaping: Shaping
) -> tuple[MapNode, ServiceSpec | None]:
    """Return some keys of a service as nodes and as values; None where they are wrong, which spoils the service."""
    findings = shaping.findings
    empty = MapNode(service.mark, ())
    if ("services", service.name) in findings.spoiled:
        return empty, None
    names = dict(shaping.names)
    if objects is not None:
        names |= {"services": objects, "models": shaping.model_objects()}
    scopes, sparing = _scopes(service, keys, places, Surroundings(names, shaping.model_objects(), objects), findings)
    rendered, failed = render_keys(service.tree, keys, scopes, sparing)
    rendered = without_nulls(rendered)
    checked = replace(rendered, items=tuple(item for item in rendered.items if item[0].text != "depends_on"))
    spec = findings.validated(ServiceSpec, checked)
    if spec is None or failed:
        findings.spoil("services", service.name)
        return empty, None
    return rendered, spec


def _scopes(
    service: Service, keys: tuple[str, ...], places: tuple[Place, Place], around: Surroundings, findings: Findings
) -> tuple[Scopes, Findings]:
    """Return what the keys see, and findings that leave unjudged what names an input that is not to be had."""
    caller = Scope(places[0], around.scope)
    if service.entry is None:
        return Scopes(caller), findings
    known, late = inputs.known_in(service, places[0].sees)
    if around.services is None:
        known = [name for name in known if service.entry.inputs[name].type != "service"]
    for key, node in service.tree.items:
        if key.text in keys and node.mark.file == service.entry.file:
            _note_late(key.text, node, service, late, findings)
    values, sparing = inputs.evaluate(service, known, around, findings)
    sparing = sparing.sparing(("inputs", name) for name in late)
    return Scopes(caller, Scope(places[1], {"inputs": values}), service.entry.file), sparing


def _note_late(key: str, node: Node, service: Service, late: list[str], findings: Findings) -> None:
    for reference in references(node):
        if reference.path[0] == "inputs" and reference.path[1:2] and reference.path[1] in late:
            name = reference.path[1]
            message = f"the input '{name}' is used in '{key}', which decides the shape before ports are leased"
            findings.add(service.given[name].mark, "out-of-scope", message, f"here it sees {', '.join(SHAPE.sees)}")


def _ports(service: Service, node: MapNode, spec: ServiceSpec, shaping: Shaping) -> dict[str, Port]:
    nodes = port_nodes(node.get("ports"))
    ports = {}
    for name, written in spec.ports.items():
        port = port_of(name, nodes[name], written, shaping.ports, shaping.findings)
        if port is None:
            shaping.findings.spoil("services", service.name)
        else:
            ports[name] = port
    return ports


def _attached(
    service: Service, node: MapNode, spec: ServiceSpec, ports: Mapping[str, Port], shaping: Shaping
) -> dict[str, Endpoint] | None:
    attach = node.get("attach")
    if spec.attach is None or attach is None or not service.enabled:
        return None
    if service.replicas > 1:
        message = f"an attached service runs once, and this one has {service.replicas} replicas"
        shaping.findings.add(attach.mark, "wrong-attach", message, "attach to a service of each replica's own")
    return attached_of(spec.attach, attach, ports, shaping.ports.host, shaping.findings)


def _models(node: MapNode, spec: ServiceSpec, shaping: Shaping) -> tuple[str, ...]:
    for index, name in enumerate(spec.models):
        if name not in shaping.models:
            mark = node_at(node, ("models", index))[0].mark
            hint = suggest(name, shaping.models)
            shaping.findings.add(mark, "unknown-model", f"there is no model '{name}'", hint)
    return tuple(name for name in spec.models if name in shaping.models)
