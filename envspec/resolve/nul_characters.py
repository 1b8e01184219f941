"""NUL characters in what the operating system is given: there a text ends at the first of them."""

from __future__ import annotations

from envspec.spec.findings import Findings
from envspec.spec.nodes import ListNode, MapNode, Mark, Node, Scalar

PASSED_ON = ("command", "args", "shell", "cwd", "env")
"""Keys whose text goes to the operating system, which ends every text at a NUL character."""


def note_nul(tree: MapNode, findings: Findings) -> None:
    """Note NUL characters in what the operating system is given: no program could be started with them."""
    for key, node in tree.items:
        if key.text in PASSED_ON:
            _note_nul_in(node, key.text, findings)
        elif key.text == "files" and isinstance(node, MapNode):
            for name, _ in node.items:  # a file's content may hold what it likes
                _refuse_nul(name.text, name.mark, "a file's name", findings)
        elif key.text in ("health", "after_healthy", "reset", "ready"):
            _note_nul_in_exec(node, findings)


def _note_nul_in_exec(items: Node, findings: Findings) -> None:
    for item in items.items if isinstance(items, ListNode) else ():
        fields = item.get("exec") if isinstance(item, MapNode) else None
        if isinstance(fields, MapNode):
            note_nul(fields, findings)


def _note_nul_in(node: Node, what: str, findings: Findings) -> None:
    if isinstance(node, Scalar):
        _refuse_nul(node.text, node.mark, f"'{what}'", findings)
    elif isinstance(node, ListNode):
        for item in node.items:
            _note_nul_in(item, what, findings)
    else:
        for key, value in node.items:
            _refuse_nul(key.text, key.mark, f"a name in '{what}'", findings)
            _note_nul_in(value, what, findings)


def _refuse_nul(text: str, mark: Mark, what: str, findings: Findings) -> None:
    if "\0" in text:
        message = f"{what} holds a NUL character, where the operating system ends a text"
        findings.add(mark, "nul-character", message, "remove the \\0")
