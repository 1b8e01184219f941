"""Where the format wants text: scalars as written, mappings as compact JSON, paths from the file that wrote them."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from envspec.spec.findings import Findings
from envspec.spec.nodes import ListNode, MapNode, Node, Scalar, plain_data
from envspec.spec.written import beside

ITEMS = ("health", "after_healthy", "reset")


def as_service(tree: MapNode, findings: Findings) -> MapNode:
    """Return a rendered service with text wherever the format wants text."""
    items = ((key, _value(key.text, node, findings)) for key, node in tree.items)
    return replace(tree, items=tuple(items))


def _value(key: str, node: Node, findings: Findings) -> Node:
    if key in ("command", "args"):
        return words(node, findings)
    if key in ("env", "files"):
        return texts(node)
    if key == "shell" and isinstance(node, Scalar):
        return text(node)
    if key in ITEMS:
        return checks(node, findings)
    if key in ("cwd", "env_file"):
        return _paths(key, node, findings)
    return node


def words(node: Node, findings: Findings) -> Node:
    """Return a list as words of a command: a scalar as it is written, a mapping as compact JSON."""
    if not isinstance(node, ListNode):
        return node
    for item in node.items:
        if isinstance(item, Scalar) and item.value is None:
            findings.add(
                item.mark,
                "empty-argument",
                "this argument is null",
                'write "" for an empty one, or "null" for the word',
            )
        if isinstance(item, ListNode):
            findings.add(
                item.mark, "wrong-type", "this argument is a list", "splice it with a template, or quote it as text"
            )
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


def checks(node: Node, findings: Findings) -> Node:
    """Return a list of validators with text in the fields that want it."""
    if not isinstance(node, ListNode):
        return node
    return replace(node, items=tuple(_check(item, findings) for item in node.items))


def _check(node: Node, findings: Findings) -> Node:
    if not isinstance(node, MapNode):
        return node
    return replace(node, items=tuple((kind, _fields(fields, findings)) for kind, fields in node.items))


def _fields(node: Node, findings: Findings) -> Node:
    if not isinstance(node, MapNode):
        return node
    items = []
    for key, value in node.items:
        if isinstance(value, Scalar) and value.value is None and key.text != "json":
            continue  # null is not written, except as what a body must be
        if key.text == "command":
            items.append((key, words(value, findings)))
        elif key.text == "headers":
            items.append((key, texts(value)))
        elif key.text in ("body", "shell") and isinstance(value, Scalar):
            items.append((key, text(value)))
        else:
            items.append((key, value))
    return replace(node, items=tuple(items))


def _paths(key: str, node: Node, findings: Findings) -> Node:
    if isinstance(node, ListNode):
        return replace(node, items=tuple(_paths(key, item, findings) for item in node.items))
    path = beside(node, key, findings)
    if path is None or not isinstance(node, Scalar):
        return node
    absolute = os.path.normpath(Path.cwd() / path) if not path.is_absolute() else str(path)
    return replace(node, value=absolute)
