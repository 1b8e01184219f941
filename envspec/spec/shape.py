"""The shape of services: what can be said of them before anything is leased.

First the layers of each are put together, then it is settled which are enabled and how often each runs, then
everything that may depend on that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from envspec.plan.plan import Endpoint
from envspec.record import Record
from envspec.spec import inputs
from envspec.spec.blame import of_each
from envspec.spec.dependencies import conditions_of
from envspec.spec.diagnostics import suggest
from envspec.spec.environment import Model, Port, Service
from envspec.spec.findings import Findings, growth
from envspec.spec.inputs import Objects, Surroundings
from envspec.spec.layers import without_nulls
from envspec.spec.nodes import MapNode, Node, node_at, plain_data
from envspec.spec.port_spec import PortSpec, PortsSpec
from envspec.spec.ports import attached_of, port_nodes, port_of, sound_ports
from envspec.spec.rendering import Scope, Scopes, render_keys
from envspec.spec.scope import ENTRY_SHAPE, ENTRY_STRUCTURE, OWN, SHAPE, STRUCTURE, Place
from envspec.spec.service_spec import ServiceSpec
from envspec.spec.sound_part import sound_part
from envspec.spec.template import Reference, Unavailable, references

COUNT_KEYS = ("enabled", "replicas")
SHAPE_KEYS = ("ports", "attach", "models")
STRUCTURE_KEYS = ("kind", "start", "depends_on")
SHAPED = frozenset((*COUNT_KEYS, *SHAPE_KEYS, *STRUCTURE_KEYS, "use", "with"))
"""Keys that are settled here; the others are rendered once there are ports."""


class Shaping(Record):
    """What the shape of a file's services is worked out from."""

    names: Mapping[str, object]
    models: Mapping[str, Model]
    ports: PortsSpec
    findings: Findings

    def model_objects(self) -> dict[str, dict[str, Any]]:
        """Return the models as templates see them before their files are anywhere."""
        return {name: {"name": model.served_name, "repo": model.repo} for name, model in self.models.items()}


def shape_services(layered: Mapping[str, Service], shaping: Shaping) -> dict[str, Service]:
    """Return the services with all that is settled before leasing; what is wrong is noted, and spoils the service."""
    spoiled = shaping.findings.spoiled
    known = {name: replace(service, shaped=("services", name) not in spoiled) for name, service in layered.items()}
    counted = of_each(known, lambda service: _count(service, shaping), shaping.findings)
    objects = early_objects(counted)
    return of_each(counted, lambda service: _shape(service, objects, shaping), shaping.findings)


def early_objects(services: Mapping[str, Service]) -> dict[str, dict[str, Any]]:
    """Return services as `depends_on` and inputs see them before ports are leased."""
    later = Unavailable("there are no ports yet where services are put in order", "this is for text: command, env, …")
    unknown = dict.fromkeys((*OWN, "replicas", "index", "host", "dir"), later)
    return {name: {**unknown, "name": name, "enabled": service.enabled} for name, service in services.items()}


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
    node, more = _settle(service, STRUCTURE_KEYS, (STRUCTURE, ENTRY_STRUCTURE), objects, shaping)
    if more is not None:
        awaited = conditions_of(node.get("depends_on"), objects, shaping.findings)
        service = replace(service, kind=more.kind, start=more.start, depends_on=awaited)
    node, spec = _settle(service, SHAPE_KEYS, (SHAPE, ENTRY_SHAPE), objects, shaping)
    if spec is None:
        return _partly(service, node, shaping)
    new = growth(shaping.findings)
    ports = _ports(node, spec.ports, shaping)
    attached = _attached(service, node, spec, ports, shaping)
    models = _models(node, spec, shaping)
    if new:
        shaping.findings.spoil("services", service.name)
    return replace(service, ports=ports, attached=attached, models=models, shaped=service.shaped and not new)


def _partly(service: Service, node: MapNode, shaping: Shaping) -> Service:
    """Return the service with those of its ports that are sound, for what is wrong with them and beside them."""
    part, _ = sound_part(ServiceSpec, plain_data(node))
    if part is not None:
        _models(node, part, shaping)
    ports = _ports(node, sound_ports(node.get("ports")), shaping)
    # Where it is attached, nobody listens on them here.
    return replace(service, ports={} if service.tree.get("attach") else ports, shaped=False)


def _settle(
    service: Service, keys: tuple[str, ...], places: tuple[Place, Place], objects: Objects | None, shaping: Shaping
) -> tuple[MapNode, ServiceSpec | None]:
    """Return some keys of a service as nodes and as values; None where they are wrong, which spoils the service."""
    findings = shaping.findings
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
        return rendered, None
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
    used: set[str] = set()
    for key, node in service.tree.items:
        if key.text in keys:
            used |= _inputs_used(key.text, node, service, late, findings)
    values, sparing = inputs.evaluate(service, [name for name in known if name in used], around, findings)
    sparing = sparing.sparing(("inputs", name) for name in late)
    return Scopes(caller, Scope(places[1], {"inputs": values}), service.entry.file), sparing


def _inputs_used(key: str, node: Node, service: Service, late: list[str], findings: Findings) -> set[str]:
    """Return the inputs that a key's templates name; one that is not known yet is noted, where its value stands."""
    used = set()
    for reference in _references(key, node):
        if reference.path[0] != "inputs" or len(reference.path) == 1:
            continue
        name = str(reference.path[1])
        used.add(name)
        if name in late:
            message = f"the input '{name}' is used in '{key}', which is settled before ports are leased"
            findings.add(service.given[name].mark, "out-of-scope", message, f"here {SHAPE.hint}")
    return used


def _references(key: str, node: Node) -> list[Reference]:
    found = references(node)
    if key == "depends_on" and isinstance(node, MapNode):  # what stood in a list is a key there, and may be a template
        found = [*found, *(reference for name, _ in node.items for reference in references(name))]
    return found


def _ports(node: MapNode, specs: Mapping[str, PortSpec], shaping: Shaping) -> dict[str, Port]:
    nodes = port_nodes(node.get("ports"))
    ports = {
        name: port_of(name, nodes[name], written, shaping.ports, shaping.findings) for name, written in specs.items()
    }
    return {name: port for name, port in ports.items() if port is not None}


def _attached(
    service: Service, node: MapNode, spec: ServiceSpec, ports: Mapping[str, Port], shaping: Shaping
) -> dict[str, tuple[Endpoint, ...]] | None:
    attach = node.get("attach")
    if spec.attach is None or attach is None or not service.enabled:
        return None
    if service.replicas > 1:
        message = f"an attached service runs once, and this one has {service.replicas} replicas"
        shaping.findings.add(attach.mark, "wrong-attach", message, "attach to a service of each replica's own")
    for name in (name for name, port in ports.items() if port.behind):
        message = f"{service.name} is attached: no relay can be put before its port '{name}'"
        mark = node_at(node, ("ports", name, "proxy"))[0].mark
        shaping.findings.add(mark, "wrong-proxy", message, "those who use it go there by themselves: proxy: false")
    return attached_of(spec.attach, attach, ports, shaping.ports.host, shaping.findings)


def _models(node: MapNode, spec: ServiceSpec, shaping: Shaping) -> tuple[str, ...]:
    for index, name in enumerate(spec.models):
        if name not in shaping.models and ("models", name) not in shaping.findings.spoiled:
            mark = node_at(node, ("models", index))[0].mark
            hint = suggest(name, shaping.models)
            shaping.findings.add(mark, "unknown-model", f"there is no model '{name}'", hint)
    return tuple(name for name in spec.models if name in shaping.models)
