"""How deep the parts of a template may stand in one another.

What reads, compiles and runs a template calls itself for every level, and Python bounds such calls: without a bound
of our own, a template's depth would be a matter of who asks for it.
"""

from __future__ import annotations

from typing import ClassVar

from jinja2 import nodes

from envspec.spec.template_values import TemplateProblem

MAX_DEPTH = 32
"""Levels of brackets, operators, filters, loops and conditions. Jinja's parser makes 14 calls for a bracket, of the
1000 that Python allows."""


class TooDeep(TemplateProblem):
    """The template is nested too deep, which is said at the part that is one level too many."""

    code: ClassVar[str] = "too-deep"

    def __init__(self, offset: int, message: str = f"this template is nested deeper than {MAX_DEPTH} levels") -> None:
        super().__init__(offset, "let variables hold parts of it: {% set part = … %}, or `vars`", message)


class Brackets:
    """Counts the brackets of a template that are open."""

    def __init__(self) -> None:
        self._open = 0

    def pass_by(self, kind: str, text: str, offset: int) -> None:
        """Take note of a token of Jinja's lexer that stands at `offset`.

        Raises:
            TooDeep: it opens one bracket too many.
        """
        if kind != "operator":
            return
        self._open += (text in ("(", "[", "{")) - (text in (")", "]", "}"))
        if self._open > MAX_DEPTH:
            raise TooDeep(offset)


def deepest_part(tree: nodes.Template) -> nodes.Node:
    """Return the part of a template that stands deepest.

    Raises:
        TooDeep: it stands too deep.
    """
    level: list[nodes.Node] = [tree]
    # The template and the node that prints an expression are no levels; the last are the names and constants.
    for _ in range(MAX_DEPTH + 3):
        below = [child for node in level for child in node.iter_child_nodes()]
        if not below:
            return level[0]
        level = below
    raise TooDeep(level[0].lineno - 1)
