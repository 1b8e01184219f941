"""What a template reads, found in its syntax tree without rendering it."""

from __future__ import annotations

from typing import TypeAlias

from jinja2 import nodes
from jinja2.visitor import NodeVisitor

from envspec.spec.template_dialect import chain

Path: TypeAlias = tuple[str | int, ...]
Read: TypeAlias = tuple[Path, tuple[int, ...], bool]
"""A path, the offset in the text where each of its steps stands, and whether the template asked before it read."""

_OWN = {"loop", "caller", "varargs", "kwargs", "range", "dict", "namespace"}
"""Names that Jinja and the dialect give."""


def paths_read(tree: nodes.Template) -> tuple[Read, ...]:
    """Return every path of the scope that a template reads, in the order of the text."""
    finder = _Finder(tree)
    finder.visit(tree)
    return tuple(sorted(finder.read, key=lambda read: read[1]))


class _Finder(NodeVisitor):
    """Collects paths; `_granted` are the beginnings of paths that a condition around this place has asked for."""

    def __init__(self, tree: nodes.Template) -> None:
        self.read: list[Read] = []
        self._granted: frozenset[Path] = frozenset()
        # A name is the template's own wherever it is set at all; telling scopes apart has found no use yet.
        stored = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
        self._own = stored | {macro.name for macro in tree.find_all(nodes.Macro)} | _OWN

    def _within(self, granted: set[Path], *parts: nodes.Node | None) -> None:
        before, self._granted = self._granted, self._granted | granted
        for part in parts:
            if part is not None:
                self.visit(part)
        self._granted = before

    def _path(self, node: nodes.Expr) -> None:
        path = chain(node)
        if not path:
            self.generic_visit(node)
        elif path[0] not in self._own:
            guarded = any(path[: len(granted)] == granted for granted in self._granted)
            self.read.append((path, _offsets(node), guarded))

    visit_Name = visit_Getattr = visit_Getitem = _path  # noqa: N815  the visitor's names are Jinja's

    def visit_CondExpr(self, node: nodes.CondExpr) -> None:  # noqa: N802
        """Follow both arms, each with what the condition says of it."""
        self.visit(node.test)
        self._within(_asked(node.test, holds=True), node.expr1)
        self._within(_asked(node.test, holds=False), node.expr2)

    def visit_If(self, node: nodes.If) -> None:  # noqa: N802
        """Follow every branch, each with what the conditions so far say of it."""
        self.visit(node.test)
        self._within(_asked(node.test, holds=True), *node.body)
        self._within(_asked(node.test, holds=False), *node.elif_, *node.else_)

    def visit_And(self, node: nodes.And) -> None:  # noqa: N802
        """Follow the right side, which is read only where the left side holds."""
        self.visit(node.left)
        self._within(_asked(node.left, holds=True), node.right)

    def visit_Or(self, node: nodes.Or) -> None:  # noqa: N802
        """Follow the right side, which is read only where the left side does not hold."""
        self.visit(node.left)
        self._within(_asked(node.left, holds=False), node.right)

    def visit_Filter(self, node: nodes.Filter) -> None:  # noqa: N802
        """Follow a filter's subject, which may lead nowhere if the filter is `default`."""
        self._lenient(node, lenient=node.name in ("default", "d"))

    def visit_Test(self, node: nodes.Test) -> None:  # noqa: N802
        """Follow a test's subject, which may lead nowhere if the test is `defined`."""
        self._lenient(node, lenient=node.name in ("defined", "undefined"))

    def _lenient(self, node: nodes.Filter | nodes.Test, *, lenient: bool) -> None:
        self._within({chain(node.node)} if lenient and node.node else set(), node.node)
        for part in (*node.args, *node.kwargs, node.dyn_args, node.dyn_kwargs):
            self._within(set(), part)


def _asked(test: nodes.Node, *, holds: bool) -> set[Path]:
    """Return the beginnings of paths that are there for certain if `test` holds (or does not)."""
    if isinstance(test, nodes.Not):
        return _asked(test.node, holds=not holds)
    if isinstance(test, nodes.And if holds else nodes.Or):
        return _asked(test.left, holds=holds) | _asked(test.right, holds=holds)
    if isinstance(test, nodes.Test) and test.name == ("defined" if holds else "undefined"):
        return {chain(test.node)} - {()}
    if isinstance(test, nodes.Compare) and len(test.ops) == 1:
        return _contained(test, "in" if holds else "notin")
    # `if inputs.etcd` asks for all below it; `if services.x.enabled` for what is beside it.
    path = chain(test) if holds else ()
    return {path, path[:-1]} if path[-1:] == ("enabled",) else {path} - {()}


def _contained(test: nodes.Compare, operator: str) -> set[Path]:
    """Return what `'X' in env` has asked for."""
    container = chain(test.ops[0].expr)
    if test.ops[0].op == operator and container and isinstance(test.expr, nodes.Const):
        return {(*container, test.expr.value)}
    return set()


def _offsets(node: nodes.Expr) -> tuple[int, ...]:
    if isinstance(node, nodes.Getattr | nodes.Getitem):
        # The node stands at its dot or bracket, of which Jinja counts lines from 1; the key stands behind it.
        return (*_offsets(node.node), node.lineno)
    return (node.lineno - 1,)
