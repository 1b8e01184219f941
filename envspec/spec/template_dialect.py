"""The dialect of Jinja2 that the file format speaks.

Jinja counts lines; this dialect counts characters: its lexer gives every token the number of the character where it
begins, counted from 1, in place of the line. So every node, every syntax error and every line of the compiled code
knows its exact place in the scalar.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, cast

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, nodes, pass_context
from jinja2.lexer import Lexer
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

from envspec.spec.diagnostics import suggest
from envspec.spec.template_depth import Brackets
from envspec.spec.template_values import TemplateProblem, TooLong, Unavailable, in_text, kind

MAX_TEXT = 2**20
"""The longest text or list that `*` may make; a template that wants more is a mistake."""

# Those that make HTML, give what differs from run to run, or reach past the keys of mappings.
_UNWANTED = ("e", "escape", "forceescape", "safe", "striptags", "urlize", "xmlattr", "random", "pprint", "attr")


MAX_STEPS = 1_000_000
"""Turns of loops, calls and reads in one rendering, and items that filters are given: a template that takes more than
this, some seconds, is a mistake, such as a loop in a loop over large ranges."""


class Counting(Context):
    """What one rendering of a template knows, and how much work it has done."""

    steps = 0

    def count(self, steps: int) -> None:
        """Take note of work.

        Raises:
            TemplateProblem: it is too much.
        """
        self.steps += steps
        if self.steps > MAX_STEPS:
            hint = "loops within loops multiply: shorten their ranges"
            raise TooLong(None, hint, f"this template takes more than {MAX_STEPS} steps")


class Dialect(ImmutableSandboxedEnvironment):
    """The sandbox in which `a.b` reads the key b of a mapping and does nothing else."""

    intercepted_binops = frozenset(("*", "**"))
    context_class = Counting

    def __init__(self) -> None:
        super().__init__(
            comment_start_string="\0no comments",  # so `{#` is text: nothing in a file begins like this
            comment_end_string="\0",
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            undefined=StrictUndefined,
            optimized=False,
            finalize=_output,
            cache_size=0,
        )
        for name in _UNWANTED:
            del self.filters[name]
        self.filters |= {"tojson": _tojson, "quote": _quote, "join": self._join, "string": _output}
        # The others give lorem ipsum, or objects with methods, and there are no methods here.
        self.globals = {name: self.globals[name] for name in ("range", "dict", "namespace")}
        self._lexer = _OffsetLexer(self)

    @property
    def lexer(self) -> Lexer:
        """The lexer whose line numbers are character numbers."""
        return self._lexer

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805  as Jinja's own
        """Call what a template calls: its macros, `range`, and the reading of names and keys."""
        result = super().call(__context, __obj, *args, **kwargs)
        cast("Counting", __context).count(len(result) if isinstance(result, range) else 1)
        return result

    @pass_context
    def turn(self, _context: Context) -> bool:
        """Begin another turn of a loop, which its being called counts; true, to stand in a condition."""
        return True

    @pass_context
    def filtered(self, context: Context, value: object) -> object:
        """Return what a filter is given, whose items are as many steps."""
        cast("Counting", context).count(len(value) if isinstance(value, list | tuple | Mapping) else 0)
        return value

    @pass_context
    def known(self, context: Context, value: object, name: str, offset: int) -> object:
        """Return the value of a name, or what explains that there is none."""
        if isinstance(value, StrictUndefined):
            return _missing(offset, f"there is no '{name}' here", suggest(name, context.parent.keys() - self.globals))
        return _readable(value, offset)

    def read(self, value: object, key: object, offset: int | None, path: str) -> object:
        """Return what `value.key` or `value[key]` says; `path` is how the template writes the value."""
        if isinstance(value, StrictUndefined):
            value = value[key]  # raises what the undefined value has to say
        # `loop.index` and `{% set ns.x %}` are no mappings, but part of the language.
        if isinstance(value, LoopContext | Namespace):
            return super().getattr(value, str(key))
        if isinstance(value, Mapping):
            if key in value:
                return _readable(value[key], offset)
            return _missing(offset, f"{path} has no '{key}'", suggest(str(key), map(str, value)))
        if not isinstance(value, list | tuple | str) or not isinstance(key, int):
            return _missing(offset, f"{path} is {_kind(value)}, and has no key '{key}'", "")
        if not -len(value) <= key < len(value):
            return _missing(offset, f"{path} has {_items(value)}, and none at {key}", "counting begins with 0")
        return value[key]

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Read a key for the filters that take `attribute=`."""
        return self.read(obj, argument, None, "an item")

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Read a key for the filters that take `attribute=`."""
        return self.read(obj, attribute, None, "an item")

    def concatenated(self, *parts: object) -> str:
        """Return what `a ~ b` says, by the same rules as text around `{{ }}`."""
        return "".join(map(_output, parts))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute `*` and `**`, whose results can be larger than memory."""
        # Python would go on computing until memory is gone; the sandbox bounds range() alone.
        if operator == "**" and (abs(left) > 2**32 or abs(right) > 64):
            raise TemplateProblem(None, "", f"{left} ** {right} is too large")
        sized = [len(side) * other for side, other in ((left, right), (right, left)) if isinstance(side, str | list)]
        if operator == "*" and sized and sized[0] > MAX_TEXT:
            raise TemplateProblem(None, "", f"this would be {sized[0]} long, and {MAX_TEXT} is the most")
        return super().call_binop(context, operator, left, right)

    def _join(self, value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
        items = value if attribute is None else (self.getitem(item, attribute) for item in value)
        return d.join(map(_output, items))


class Placed(NodeTransformer):
    """Rewrites a template so that whatever reads a name or a key knows where it stands in the text."""

    def visit_Name(self, node: nodes.Name) -> nodes.Node:  # noqa: N802  the visitor's names are Jinja's
        """Check a name where it is read."""
        if node.ctx != "load":
            return node
        return _call("known", node, [nodes.Const(node.name), nodes.Const(node.lineno - 1)])

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:  # noqa: N802
        """Read a key."""
        return self._read(node, nodes.Const(node.attr))

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        """Read a key or an index; a slice stays Python's own."""
        # Jinja never hands slices to the environment, so there would be nobody to call.
        if isinstance(node.arg, nodes.Slice):
            return self.generic_visit(node)
        return self._read(node, cast("nodes.Expr", self.visit(node.arg)))

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        """Join texts by our rules, not by Python's `str`."""
        first, *rest = (cast("nodes.Expr", self.visit(part)) for part in node.nodes)
        return _call("concatenated", first, rest)

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        """Count the turns of a loop, also those that its `if` passes over."""
        self.generic_visit(node)
        turn = nodes.Call(nodes.EnvironmentAttribute("turn"), [], [], None, None, lineno=node.lineno)
        node.body = [nodes.ExprStmt(turn, lineno=node.lineno), *node.body]
        node.test = nodes.And(turn, node.test, lineno=node.lineno) if node.test is not None else None
        return node

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:  # noqa: N802
        """Count what a filter is given."""
        self.generic_visit(node)
        if node.node is not None:
            node.node = _call("filtered", node.node, [])
        return node

    def _read(self, node: nodes.Getattr | nodes.Getitem, key: nodes.Expr) -> nodes.Node:
        path = nodes.Const(".".join(map(str, chain(node.node) or ("this",))))
        # Jinja places the node at its dot or bracket; the key stands behind it.
        return _call("read", cast("nodes.Expr", self.visit(node.node)), [key, nodes.Const(node.lineno), path])


def chain(node: nodes.Node) -> tuple[str | int, ...]:
    """Return the path that `a.b['c'][0]` reads, or nothing for any other expression."""
    if isinstance(node, nodes.Name):
        return (node.name,)
    if isinstance(node, nodes.Getattr):
        start, key = chain(node.node), node.attr
    elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        start, key = chain(node.node), node.arg.value
    else:
        return ()
    return (*start, key) if start else ()


def _kind(value: object) -> str:
    return "null" if isinstance(value, Undefined) else kind(value)


def _items(value: list[Any] | tuple[Any, ...] | str) -> str:
    what = "character" if isinstance(value, str) else "item"
    return f"{len(value)} {what}{'' if len(value) == 1 else 's'}"


def _output(value: object) -> str:
    """Write what `{{ }}` says within text: nothing for `X if c` without else; what is undefined raises."""
    return str(value) if isinstance(value, Undefined) else in_text(value)


class _OffsetLexer(Lexer):
    """Gives each token the number of its first character, from 1, where Jinja's own gives a line."""

    def tokeniter(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> Iterator[tuple[int, str, str]]:
        end, brackets = 0, Brackets()
        tokens = super().tokeniter(source, name, filename, state)
        try:
            for _, token, text in tokens:
                start = end
                # White space that `{%-` and lstrip_blocks remove before a tag is no part of any token.
                while not source.startswith(text, start):
                    start += 1
                end = start + len(text)
                brackets.pass_by(token, text, start)
                yield start + 1, token, text
        except TemplateSyntaxError as error:
            error.lineno = end + 1
            raise


def _call(method: str, subject: nodes.Expr, rest: list[nodes.Expr]) -> nodes.Call:
    return nodes.Call(nodes.EnvironmentAttribute(method), [subject, *rest], [], None, None, lineno=subject.lineno)


def _missing(offset: int | None, message: str, hint: str) -> StrictUndefined:
    """Return what fails when it is used, but can be asked whether it `is defined` or given a `default`."""
    problem: Callable[[str], TemplateProblem] = partial(TemplateProblem, offset, hint)
    return StrictUndefined(hint=message, exc=cast("Any", problem))


def _readable(value: object, offset: int | None) -> object:
    return _missing(offset, value.message, value.hint) if isinstance(value, Unavailable) else value


def _tojson(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_jsonable)


def _jsonable(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable):
        return list(value)
    raise TemplateProblem(None, "", f"{kind(value)} cannot be written as JSON")


def _quote(value: object) -> str:
    """Quote a value for a shell; a list becomes words."""
    return shlex.join(map(_output, value)) if isinstance(value, list | tuple) else shlex.quote(_output(value))
