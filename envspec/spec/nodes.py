"""A YAML file as a tree whose every node knows where it stands.

Made by `envspec.spec.source`, layered by `envspec.spec.layers`, rendered by `envspec.spec.template`. Nodes are
frozen: a layer or a rendering is a new tree that shares the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Mark:
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True)
class Scalar:
    """A leaf: `text` as written (after YAML's own unescaping), `value` by the rules of YAML 1.2 core.

    `plain` is false for quoted and block scalars, which are always text. `raw` marks `!raw`: never a template.
    `written` is the scalar as the file has it, quotes, escapes and indentation included, from which
    `envspec.spec.positions` finds a place inside the text again; empty for what no file holds.
    """

    mark: Mark
    text: str
    value: Any
    plain: bool = True
    raw: bool = False
    written: str = ""


@dataclass(frozen=True)
class MapNode:
    """A mapping, in the order of the file. Keys are text scalars; duplicates were refused."""

    mark: Mark
    items: tuple[tuple[Scalar, Node], ...]

    def get(self, key: str) -> Node | None:
        """Return the value of `key`, or None where it is not written."""
        return next((value for name, value in self.items if name.text == key), None)

    def key(self, key: str) -> Scalar | None:
        """Return the key itself, for its position."""
        return next((name for name, _ in self.items if name.text == key), None)


@dataclass(frozen=True)
class ListNode:
    """A sequence."""

    mark: Mark
    items: tuple[Node, ...]


Node: TypeAlias = Scalar | MapNode | ListNode


def plain_data(node: Node) -> Any:
    """Return what the node says, without positions: dicts, lists and scalars' values."""
    if isinstance(node, MapNode):
        return {key.text: plain_data(value) for key, value in node.items}
    if isinstance(node, ListNode):
        return [plain_data(item) for item in node.items]
    return node.value


def node_of(data: Any, mark: Mark) -> Node:
    """Return the tree for data that was computed, all of it standing at `mark`, and none of it a template any more."""
    if isinstance(data, Mapping):
        items = ((Scalar(mark, str(key), str(key)), node_of(value, mark)) for key, value in data.items())
        return MapNode(mark, tuple(items))
    if isinstance(data, list | tuple):
        return ListNode(mark, tuple(node_of(item, mark) for item in data))
    return Scalar(mark, scalar_text(data), data, plain=not isinstance(data, str), raw=True)


def scalar_text(value: Any) -> str:
    """Write a computed scalar as text: `true` and `null` as YAML has them, the rest as Python does."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def node_at(root: Node, path: tuple[str | int, ...]) -> tuple[Node, Scalar | None]:
    """Return the deepest node along `path`, and the key that leads to it; stops where the path leaves the tree.

    `path` is a pydantic `loc`: members that name union branches and the like are skipped.
    """
    node, key = root, None
    for step in path:
        if isinstance(node, MapNode) and isinstance(step, str) and node.get(step) is not None:
            key, node = node.key(step), node.get(step) or node
        elif isinstance(node, ListNode) and isinstance(step, int) and step < len(node.items):
            node, key = node.items[step], None
    return node, key


def with_value(root: Node, path: tuple[str | int, ...], value: Any) -> Node:
    """Return the tree with other data at `path`, which leads to a node of it."""
    if not path:
        return node_of(value, root.mark)
    if isinstance(root, MapNode):
        pairs = ((key, with_value(node, path[1:], value) if key.text == path[0] else node) for key, node in root.items)
        return replace(root, items=tuple(pairs))
    if isinstance(root, ListNode):
        items = (with_value(node, path[1:], value) if at == path[0] else node for at, node in enumerate(root.items))
        return replace(root, items=tuple(items))
    return root
