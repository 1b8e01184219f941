"""Where the format wants text: scalars as written, mappings as compact JSON, paths from the file that wrote them."""

from __future__ import annotations

import json
import os
from dataclasses import replace

from envspec.spec.nodes import ListNode, MapNode, Node, Scalar, plain_data
from envspec.spec.written import path_beside

ITEMS = ("health", "after_healthy", "reset")
TEXT_FIELDS = frozenset({"body", "shell", "path", "text", "match", "url", "name", "service", "ca", "cert", "key"})
"""Fields of validators, and of their `tls`, that are text of any kind; others name something of the file."""


def as_service(tree: MapNode) -> MapNode:
    """Return a rendered service with text wherever the format wants text."""
    items = ((key, _value(key.text, node)) for key, node in tree.items)
    return replace(tree, items=tuple(items))


def _value(key: str, node: Node) -> Node:
    if key in ("command", "args"):
        return words(node)
    if key in ("env", "files"):
        return texts(node)
    if key == "shell" and isinstance(node, Scalar):
        return text(node)
    if key in ITEMS:
        return checks(node)
    if key in ("cwd", "env_file"):
        return _paths(text(node) if key == "cwd" and isinstance(node, Scalar) else node)
    return node


def words(node: Node) -> Node:
    """Return a list as words of a command: a scalar as it is written, a mapping as compact JSON."""
    if not isinstance(node, ListNode):
        return node
    return replace(node, items=tuple(text(item) if not isinstance(item, ListNode) else item for item in node.items))


def texts(node: Node) -> Node:
    """Return a mapping's values as text; null stays null."""
    if not isinstance(node, MapNode):
        return node
    return replace(node, items=tuple((key, text(value)) for key, value in node.items))


def text(node: Node) -> Node:
    """Return a node as text: as written, or compact JSON; null stays null."""
    if isinstance(node, Scalar):
        return node if node.value is None else replace(node, value=node.text)
    written = json.dumps(plain_data(node), ensure_ascii=False, separators=(",", ":"))
    return Scalar(node.mark, written, written, plain=False)


def checks(node: Node) -> Node:
    """Return a list of validators with text in the fields that want it."""
    if not isinstance(node, ListNode):
        return node
    return replace(node, items=tuple(_check(item) for item in node.items))


def _check(node: Node) -> Node:
    if not isinstance(node, MapNode):
        return node
    return replace(node, items=tuple((kind, _fields(fields)) for kind, fields in node.items))


def _fields(node: Node) -> Node:
    if not isinstance(node, MapNode):
        return node
    items = []
    for key, value in node.items:
        if isinstance(value, Scalar) and value.value is None and key.text != "json":
            continue  # null is not written, except as what a body must be
        if key.text == "command":
            items.append((key, words(value)))
        elif key.text == "headers":
            items.append((key, texts(value)))
        elif key.text == "tls":
            items.append((key, _fields(value)))
        elif key.text in TEXT_FIELDS and isinstance(value, Scalar):
            items.append((key, text(value)))
        else:
            items.append((key, value))
    return replace(node, items=tuple(items))


def _paths(node: Node) -> Node:
    if isinstance(node, ListNode):
        return replace(node, items=tuple(_paths(item) for item in node.items))
    if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.text:
        return node
    return replace(node, value=os.path.abspath(path_beside(node)))  # noqa: PTH100  Path has no `..` by text alone
