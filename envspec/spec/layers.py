"""Layers of keys, lowest first: an extended file under its extender, a catalog entry under the keys of its user.

One rule: by key; a few maps merge by key too, one level deep; every other value replaces. A null stays in the result as
a marker, since there may be a layer further down from which it takes away (`without_nulls` ends that).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import chain

from envspec.spec.nodes import ListNode, MapNode, Node, Scalar
from envspec.spec.template import has_template

FILE_MAPS = frozenset({"vars", "env", "ports", "models", "services", "matrix", "requires"})
SERVICE_MAPS = frozenset({"env", "ports", "files", "with", "depends_on"})
FREE_MAPS = frozenset({"vars", "env"})
"""Maps in which null says something by itself: a var that is null, a variable that the process must not have."""

Merge = Callable[[Node, Node], Node]


def overlay_file(lower: MapNode, upper: MapNode) -> MapNode:
    """Return an environment file laid over the one it extends."""
    return _overlay(lower, upper, {key: _overlay_services if key == "services" else _by_key for key in FILE_MAPS})


def overlay_service(lower: MapNode, upper: MapNode) -> MapNode:
    """Return a service's keys laid over a lower layer's. `command` and `shell` displace each other."""
    displaced: set[str] = set()
    if not is_null(upper.get("shell")):
        displaced = {"command", "args"}
    elif not is_null(upper.get("command")):
        displaced = {"shell"}
    kept = replace(lower, items=tuple(item for item in lower.items if item[0].text not in displaced))
    return _overlay(conditions_as_map(kept), conditions_as_map(upper), dict.fromkeys(SERVICE_MAPS, _by_key))


def conditions_as_map(service: MapNode) -> MapNode:
    """Return the service with a list `depends_on` as the mapping that it is short for.

    An item becomes a key, which unlike other keys may be a template; its value is Ellipsis: the default condition.
    """
    items = ((key, _as_map(node) if key.text == "depends_on" else node) for key, node in service.items)
    return replace(service, items=tuple(items))


def without_nulls(service: MapNode) -> MapNode:
    """Return the service without keys, and without entries of merged maps, that are null: they are not written."""
    items: list[tuple[Scalar, Node]] = []
    for key, node in service.items:
        if is_null(node):
            continue
        # In `depends_on` null has to wait until the names in it are rendered.
        prunes = key.text in SERVICE_MAPS - FREE_MAPS - {"depends_on"}
        items.append((key, without_null_entries(node) if prunes else node))
    return replace(service, items=tuple(items))


def without_null_entries(node: Node) -> Node:
    """Return a mapping without its entries that are null; anything else as it is."""
    if not isinstance(node, MapNode):
        return node
    return replace(node, items=tuple(item for item in node.items if not is_null(item[1])))


def is_null(node: Node | None) -> bool:
    """Say whether a key is not written: absent, or null."""
    return node is None or (isinstance(node, Scalar) and node.value is None)


def _overlay(lower: MapNode, upper: MapNode, merges: dict[str, Merge]) -> MapNode:
    merged = {key.text: (key, node) for key, node in lower.items}
    for key, node in upper.items:
        below = merged.get(key.text)
        if below is not None and key.text in merges:
            merged[key.text] = (key, merges[key.text](below[1], node))
        else:
            merged[key.text] = (key, node)
    return replace(upper, items=tuple(merged.values()))


def _by_key(lower: Node, upper: Node) -> Node:
    if isinstance(lower, MapNode) and isinstance(upper, MapNode):
        return _overlay(lower, upper, {})
    return upper


def _overlay_services(lower: Node, upper: Node) -> Node:
    if not (isinstance(lower, MapNode) and isinstance(upper, MapNode)):
        return upper
    names = {key.text for key, _ in chain(lower.items, upper.items)}
    return _overlay(lower, upper, dict.fromkeys(names, _overlay_one))


def _overlay_one(lower: Node, upper: Node) -> Node:
    if isinstance(lower, MapNode) and isinstance(upper, MapNode):
        return overlay_service(lower, upper)
    return upper


def _as_map(node: Node) -> Node:
    if isinstance(node, MapNode):
        return replace(node, items=tuple((_literal(key, condition), condition) for key, condition in node.items))
    if isinstance(node, ListNode) and all(isinstance(item, Scalar) for item in node.items):
        return MapNode(node.mark, tuple((item, _default(item)) for item in node.items if isinstance(item, Scalar)))
    if isinstance(node, Scalar) and has_template(node):  # computed as a whole: as the only item of a list it is spliced
        return MapNode(node.mark, ((node, _default(node)),))
    return node


def _literal(key: Scalar, condition: Node) -> Scalar:
    stood_in_list = isinstance(condition, Scalar) and condition.value is ...
    return key if stood_in_list else replace(key, raw=True)


def _default(item: Scalar) -> Scalar:
    return Scalar(item.mark, item.text, ...)
