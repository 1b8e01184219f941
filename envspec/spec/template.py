"""Templates, rendered one scalar at a time after parsing, so that every error has its place in the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from envspec.errors import Diagnostic
from envspec.record import Record
from envspec.spec.diagnostics import at
from envspec.spec.nodes import ListNode, MapNode, Mark, Node, Scalar, node_of
from envspec.spec.positions import place
from envspec.spec.template_paths import PathTemplate, UnsureError
from envspec.spec.template_values import TemplateProblem, Unavailable

if TYPE_CHECKING:
    from envspec.spec.template_program import JinjaTemplate

__all__ = ["Reference", "Unavailable", "has_template", "references", "render"]


class Reference(Record):
    """A path that a template reads, such as `("services", "etcd", "ports", "client")`.

    `guarded`: nothing is wrong where it leads nowhere, since the template asks first (`if services.x.enabled`,
    `is defined`) or has a `default`.
    """

    path: tuple[str | int, ...]
    guarded: bool
    scalar: Scalar
    offsets: tuple[int, ...]

    @property
    def mark(self) -> Mark:
        """Where it begins."""
        return self.mark_of(0)

    def mark_of(self, step: int) -> Mark:
        """Return where a step of the path stands, counted from 0."""
        return place(self.scalar, self.offsets[step])


def has_template(node: Node) -> bool:
    """Say whether a node is a scalar that would be rendered."""
    return isinstance(node, Scalar) and not node.raw and ("{{" in node.text or "{%" in node.text)


def render(node: Node, scope: Mapping[str, Any], found: list[Diagnostic]) -> Node:
    """Return `node` with every template in it replaced by what it says in `scope`.

    What is wrong is put in `found`, and a template that fails stays as it is. A value of the scope may be an
    `Unavailable`, whose message is said where a template reads it.
    """
    if isinstance(node, MapNode):
        return MapNode(node.mark, tuple((key, render(value, scope, found)) for key, value in node.items))
    if isinstance(node, ListNode):
        return ListNode(node.mark, tuple(_items(node, scope, found)))
    return _scalar(node, scope, found) if has_template(node) else node


def references(node: Node) -> list[Reference]:
    """Return every path that the templates in `node` read, in the order of the file, without rendering them."""
    if isinstance(node, MapNode):
        return [reference for _, value in node.items for reference in references(value)]
    if isinstance(node, ListNode):
        return [reference for item in node.items for reference in references(item)]
    if not has_template(node):
        return []
    try:
        read = _template(_normalized(node.text)).reads
    except TemplateProblem:  # rendering says what is wrong with it
        return []
    return [Reference(path, guarded, node, offsets) for path, offsets, guarded in read]


def _items(node: ListNode, scope: Mapping[str, Any], found: list[Diagnostic]) -> Iterable[Node]:
    """Yield rendered items: of whole expressions, null is dropped and a list takes the place of its item."""
    for item in node.items:
        rendered = render(item, scope, found)
        # A literal null or list is data; the item itself comes back when its template has failed.
        if not has_template(item) or rendered is item:
            yield rendered
        elif isinstance(rendered, ListNode):
            yield from rendered.items
        elif not isinstance(rendered, Scalar) or rendered.value is not None:
            yield rendered


def _scalar(scalar: Scalar, scope: Mapping[str, Any], found: list[Diagnostic]) -> Node:
    try:
        return node_of(_evaluate(_normalized(scalar.text), scope), scalar.mark)
    except TemplateProblem as problem:
        from envspec.spec.template_mistakes import others  # most files are right and never need it

        problems = (problem, *others(_normalized(scalar.text), problem, scope))
        found += [at(place(scalar, one.offset or 0), one.code, str(one), one.hint) for one in problems]
        return scalar


def _normalized(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _evaluate(text: str, scope: Mapping[str, Any]) -> Any:
    template = _template(text)
    try:
        return template.evaluate(scope)
    except UnsureError:
        return _program(text).evaluate(scope)


@lru_cache(maxsize=4096)
def _template(text: str) -> PathTemplate | JinjaTemplate:
    try:
        return PathTemplate(text)
    except UnsureError:
        return _program(text)


@lru_cache(maxsize=4096)
def _program(text: str) -> JinjaTemplate:
    from envspec.spec.template_program import JinjaTemplate  # imports Jinja, which many files never need

    return JinjaTemplate(text)
