"""A template that Jinja compiles."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from functools import cache
from types import TracebackType
from typing import Any

from jinja2 import Template, TemplateSyntaxError, Undefined, nodes
from jinja2.parser import Parser

from envspec.spec.diagnostics import suggest
from envspec.spec.template_depth import TooDeep, deepest_part
from envspec.spec.template_dialect import Dialect, Placed
from envspec.spec.template_reads import paths_read
from envspec.spec.template_values import BadTemplate, TemplateProblem, data

_FILE = "<template>"
_BEYOND = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Block, nodes.ScopedEvalContextModifier)


@cache
def _dialect() -> Dialect:
    return Dialect()


class JinjaTemplate:
    """A template, ready to be evaluated; `reads` is what it reads, as `template_reads` gives it."""

    def __init__(self, text: str) -> None:
        """Compile the text.

        Raises:
            TemplateProblem: it is not well formed, or asks for what there is not.
        """
        self._text = text
        tree = _parsed(text)
        deepest = deepest_part(tree)
        _refuse_unknown(tree, text)
        # Before `Placed`, which leaves no plain path in the tree.
        self.reads = paths_read(tree)
        Placed().visit(tree)
        expression = _only_expression(tree, text)
        self._start = expression.lineno - 1 if expression is not None else 0
        self._whole = expression is not None
        if expression is not None:
            # As Jinja's own compile_expression does it: printing the value would make text of it.
            tree.body = [nodes.Assign(nodes.Name("result", "store"), expression, lineno=expression.lineno)]
        tree.set_environment(_dialect())
        try:
            code = _dialect().compile(tree, filename=_FILE)
        except SyntaxError:  # of what Jinja has made of it, Python bounds the blocks
            message = "this template has more loops in one another than Python takes"
            raise TooDeep(deepest.lineno - 1, message) from None
        self._template = Template.from_code(_dialect(), code, _dialect().globals)

    def evaluate(self, scope: Mapping[str, Any]) -> Any:
        """Return the text, or the value of a template that is one whole expression.

        Raises:
            TemplateProblem: with its offset.
        """
        # A copy, so that `{% set %}` cannot change what other templates see.
        context = self._template.new_context(dict(scope))
        try:
            text = "".join(self._template.root_render_func(context))
            return data(context.vars["result"], Undefined) if self._whole else text
        except TemplateProblem as problem:
            if problem.offset is None:
                problem.offset = self._offset(sys.exc_info()[2])
            raise
        except Exception as error:  # filters and operators raise anything at all on values they do not like
            message = f"this cannot be computed: {str(error) or type(error).__name__}"
            hint = "`~` joins values as text" if isinstance(error, TypeError) and "+" in self._text else ""
            raise TemplateProblem(self._offset(error.__traceback__), hint, message) from error

    def _offset(self, traceback: TracebackType | None) -> int:
        offset = self._start
        while traceback is not None:
            # The innermost line of the template counts: a macro called by it is part of it.
            if traceback.tb_frame.f_code.co_filename == _FILE:
                offset = self._template.get_corresponding_lineno(traceback.tb_lineno) - 1
            traceback = traceback.tb_next
        return offset


def _parsed(text: str) -> nodes.Template:
    parser = Parser(_dialect(), text)
    try:
        return parser.parse()
    except TemplateSyntaxError as error:
        raise BadTemplate(error.lineno - 1, "", _sentence(error.message or "")) from None
    except RecursionError:  # a row of `not`, which has no bracket
        raise TooDeep(parser.stream.current.lineno - 1) from None


def _sentence(message: str) -> str:
    """Say Jinja's complaint without Jinja's own words for its tokens."""
    unclosed = re.search(r"innermost block that needs to be closed is '(\w+)'", message)
    if unclosed:
        return f"{{% {unclosed[1]} %}} is never closed: {{% end{unclosed[1]} %}} is missing"
    for token, written in (("end of print statement", "}}"), ("end of statement block", "%}")):
        message = message.replace(token, written)
    return f"the template is not well formed: {message.rstrip('.')}"


def _only_expression(tree: nodes.Template, text: str) -> nodes.Expr | None:
    if len(tree.body) != 1 or not (text.startswith("{{") and text.endswith("}}")):
        return None
    parts = tree.body[0].nodes if isinstance(tree.body[0], nodes.Output) else []
    return parts[0] if len(parts) == 1 and not isinstance(parts[0], nodes.TemplateData) else None


def _refuse_unknown(tree: nodes.Template, text: str) -> None:
    """Raise for a filter or test that does not exist, and for tags that reach beyond the scalar."""
    for node in tree.find_all((nodes.Filter, nodes.Test)):
        known = _dialect().filters if isinstance(node, nodes.Filter) else _dialect().tests
        if node.name not in known:
            what = type(node).__name__.lower()
            offset = text.find(node.name, node.lineno - 1)  # Jinja places a test at its `is`
            raise BadTemplate(offset, suggest(node.name, known), f"there is no {what} '{node.name}'")
    for tag in tree.find_all(_BEYOND):
        raise BadTemplate(tag.lineno - 1, "", "a template here cannot include, import or extend another")
