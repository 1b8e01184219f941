"""Rendering a service's keys, each node in the scope of the file that wrote it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from envspec.record import Record
from envspec.spec.dead_ends import note_dead_ends
from envspec.spec.findings import Findings, growth
from envspec.spec.layers import SERVICE_MAPS
from envspec.spec.nodes import ListNode, MapNode, Node, Scalar
from envspec.spec.scope import Place, check_names, sees_all
from envspec.spec.template import render


class Scope(Record):
    """The names that templates see at a kind of place, and their values."""

    place: Place
    names: Mapping[str, object]


class Scopes(Record):
    """The scope of the environment's own files, and that of the catalog entry, which is another file."""

    caller: Scope
    entry: Scope | None = None
    entry_file: str = ""

    def of(self, node: Node) -> Scope:
        """Return the scope that a node renders in."""
        return self.entry if self.entry is not None and node.mark.file == self.entry_file else self.caller


def render_key(key: str, node: Node, scopes: Scopes, findings: Findings) -> Node | None:
    """Return the rendered value of a service's key, or None where something of it cannot be rendered.

    The entries of merged maps may come from different files; every other value is from one.
    """
    if key not in SERVICE_MAPS or not isinstance(node, MapNode):
        return render_node(key, node, scopes.of(node), findings)
    if key == "depends_on":
        return _render_conditions(node, scopes, findings)
    rendered = [(name, render_node(key, value, scopes.of(value), findings)) for name, value in node.items]
    good = tuple((name, value) for name, value in rendered if value is not None)
    return replace(node, items=good) if len(good) == len(rendered) else None


def _render_conditions(node: MapNode, scopes: Scopes, findings: Findings) -> MapNode | None:
    """Render `depends_on`, in which what stood in a list is a key (envspec.spec.layers) and may be a template."""
    items: list[tuple[Scalar, Node]] = []
    new = growth(findings)
    for key, condition in node.items:
        if isinstance(condition, Scalar) and condition.value is ...:
            names = render_node("depends_on", ListNode(key.mark, (key,)), scopes.of(key), findings)
            for name in names.items if isinstance(names, ListNode) else ():
                if isinstance(name, Scalar):
                    items.append((name, condition))
                elif isinstance(name, MapNode):  # the whole was computed as a mapping to conditions
                    items += name.items
                else:
                    findings.add(name.mark, "wrong-type", "depends_on lists names of services")
            failed = names is None
        else:
            rendered = render_node("depends_on", condition, scopes.of(condition), findings)
            failed = rendered is None
            items += [(key, rendered)] if rendered is not None else []
        if failed:
            return None
    return None if new else replace(node, items=tuple(items))


def render_node(what: str, node: Node, scope: Scope, findings: Findings) -> Node | None:
    """Return a rendered tree, or None: a template says what it must not, fails, or hangs on what failed before."""
    if check_names([node], scope.place, f"'{what}'", findings):
        sound = _sound(node, findings.hangs_on_spoiled)
    else:  # what says no such name is judged nevertheless
        sound = _sound(node, lambda nodes: findings.hangs_on_spoiled(nodes) or not sees_all(nodes, scope.place))
    new = growth(findings)
    rendered = render(sound, scope.names, findings.diagnostics) if sound is not None else None
    note_dead_ends(node, scope.names, findings)
    return None if new or sound is not node else rendered


def _sound(node: Node, is_lost: Callable[[Iterable[Node]], bool]) -> Node | None:
    """Return the tree less the scalars that are lost, since what they name failed: the same tree, where none is."""
    if not is_lost([node]):
        return node
    if isinstance(node, MapNode):
        pairs = ((key, _sound(value, is_lost)) for key, value in node.items)
        return replace(node, items=tuple((key, value) for key, value in pairs if value is not None))
    if isinstance(node, ListNode):
        items = (_sound(item, is_lost) for item in node.items)
        return replace(node, items=tuple(item for item in items if item is not None))
    return None


def render_keys(tree: MapNode, keys: Iterable[str], scopes: Scopes, findings: Findings) -> tuple[MapNode, set[str]]:
    """Return these keys of a service, rendered, and which of them could not be."""
    wanted, failed, items = set(keys), set(), []
    for key, node in tree.items:
        if key.text not in wanted:
            continue
        rendered = render_key(key.text, node, scopes, findings)
        if rendered is None:
            failed.add(key.text)
        else:
            items.append((key, rendered))
    return replace(tree, items=tuple(items)), failed
