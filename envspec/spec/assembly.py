"""Putting the layers of each service together: its own keys over those of the catalog entry that it uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from envspec.spec import inputs
from envspec.spec.catalog import Catalog
from envspec.spec.environment import Service
from envspec.spec.findings import Findings, growth, once_for_all
from envspec.spec.layers import conditions_as_map, is_null, overlay_service, without_nulls
from envspec.spec.nodes import MapNode, Mark, Node, Scalar
from envspec.spec.rendering import Scope, render_node
from envspec.spec.scope import SHAPE
from envspec.spec.service_spec import ServiceSpec
from envspec.spec.written import empty, named, service_keys


def assemble(node: Node | None, names: Mapping[str, object], findings: Findings) -> dict[str, Service]:
    """Return the services of a file, in its order, each with all its layers; what is wrong with them is noted."""
    catalog = Catalog(findings)
    scope = Scope(SHAPE, names)
    written = {key.text: (key, value) for key, value in named(node, "service", findings) if not is_null(value)}
    return once_for_all(written, lambda one: _service(*one, scope, catalog, findings), findings)


def _service(key: Scalar, node: Node, scope: Scope, catalog: Catalog, findings: Findings) -> Service:
    own = conditions_as_map(service_keys(key, node, findings))
    _note_double(own, findings)
    service = Service(name=key.text, mark=key.mark, tree=without_nulls(own))
    use, given = own.get("use"), own.get("with")
    if use is not None and not is_null(use):
        return _use(service, own, use, scope, catalog)
    if given is not None and not is_null(given):
        findings.add(given.mark, "unused-with", "'with' is for a service that uses a catalog entry", "write 'use'")
    return service


def _use(service: Service, own: MapNode, use: Node, scope: Scope, catalog: Catalog) -> Service:
    findings = catalog.findings
    new = growth(findings)
    rendered = render_node("use", use, scope, findings)
    if rendered is not None and is_null(rendered):
        return service
    entry = catalog.entry(rendered) if rendered is not None else None
    given = _given(own, scope, findings)
    if entry is None or given is None:
        findings.spoil("services", service.name)
        return service
    values = {name.text: value for name, value in given.items}
    inputs.check_given(entry, values, use.mark, {name.text: name.mark for name, _ in given.items}, findings)
    if new:
        findings.spoil("services", service.name)
    tree = without_nulls(overlay_service(entry.service, own))
    removed = _removed(own.get("ports"))
    return replace(service, entry=entry, tree=tree, given=values, use=use.mark, removed_ports=removed)


def _given(own: MapNode, scope: Scope, findings: Findings) -> MapNode | None:
    """Return the values for the entry's inputs, or None where `with` is not a mapping, which is noted.

    They stay templates, to be rendered where the entry uses them; only one for all of them together is rendered here.
    """
    written = own.get("with")
    if written is None or isinstance(written, MapNode):
        return written or empty(own.mark)
    given = render_node("with", written, scope, findings)
    if given is None or isinstance(given, MapNode):
        return given
    part = MapNode(own.mark, ((Scalar(written.mark, "with", "with"), given),))
    return empty(own.mark) if is_null(given) or findings.validated(ServiceSpec, part) else None


def _removed(ports: Node | None) -> dict[str, Mark]:
    return {key.text: key.mark for key, value in ports.items if is_null(value)} if isinstance(ports, MapNode) else {}


def _note_double(own: MapNode, findings: Findings) -> None:
    awaited = own.get("depends_on")
    names: set[str] = set()
    for name, _ in awaited.items if isinstance(awaited, MapNode) else ():
        if name.text in names:
            findings.add(name.mark, "waits-twice", f"depends_on lists '{name.text}' twice", "keep one of them")
        names.add(name.text)
    shell = own.key("shell")
    if shell is not None and not is_null(own.get("shell")) and not is_null(own.get("command")):
        findings.add(shell.mark, "command-and-shell", "'command' and 'shell' are both written", "keep one of them")
