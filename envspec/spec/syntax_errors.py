"""What the YAML parser complains about, said in the words of the person who wrote the file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envspec.errors import Diagnostic
from envspec.record import Record
from envspec.spec.diagnostics import at
from envspec.spec.nodes import Mark

if TYPE_CHECKING:
    import yaml

_BARE_TEMPLATE = re.compile(r"(?:^|[:\-,\[{]\s+|\[)\s*(\{[{%])")


class Problem(Record):
    """The parser's complaint: what, where (line and column from 0), and where the thing concerned began."""

    text: str
    line: int
    column: int
    began: tuple[int, int]

    @classmethod
    def of(cls, error: yaml.MarkedYAMLError) -> Problem:
        """Take what matters from PyYAML's exception."""
        # The problem alone may read "did not find expected key"; the context says in what.
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        began = (error.context_mark.line, error.context_mark.column) if error.context_mark else (line, column)
        return cls(f"{error.context or ''}: {error.problem or error}", line, column, began)


def explain(problem: Problem, text: str, file: str) -> Diagnostic:
    """Say what is wrong, and where: an opening that is never closed is told at the opening."""
    lines = text.split("\n")
    line_text = (lines[problem.line : problem.line + 1] or [""])[0]
    message, hint, at_opening = _sentence(problem, line_text)
    line, column = problem.began if at_opening else (problem.line, problem.column)
    if line >= len(lines):  # the parser stands behind the last line when a file ends too early
        line, column = len(lines) - 1, len(lines[-1])
    return at(Mark(file, line + 1, column + 1), "syntax", message, hint)


def bare_template(problem: Problem, text: str) -> int | None:
    """Return the index of a `{{` that begins a value unquoted, which YAML takes for a mapping, on a line concerned.

    Asked first: a bare template breaks the YAML in many ways, and quoting it mends them all.
    """
    lines = text.split("\n")
    for line in dict.fromkeys((problem.line, problem.began[0])):
        match = _BARE_TEMPLATE.search(lines[line]) if line < len(lines) else None
        if match and match.start(1) <= max(problem.column, problem.began[1]):
            return sum(len(before) + 1 for before in lines[:line]) + match.start(1)
    return None


def legible(problem: Problem, text: str) -> str:
    """Return as much of a text as the scanner can read: up to a quote that is never closed."""
    if _NEVER_CLOSED not in problem.text:
        return text
    lines = text.split("\n")
    return "\n".join((*lines[: problem.began[0]], lines[problem.began[0]][: problem.began[1]]))


def _sentence(problem: Problem, line: str) -> tuple[str, str, bool]:
    """Return message, hint, and whether the place to show is where the thing began."""
    character = line[problem.column : problem.column + 1]
    if "cannot start any token" in problem.text and character == "\t":
        return "a tab cannot indent in YAML", "use spaces", False
    if "cannot start any token" in problem.text:
        return f"a value cannot begin with '{character}'", "put it in quotes", False
    if "mapping values are not allowed" in problem.text and ": " in line[: problem.column]:
        return "a second ': ' on one line", "put text that contains ': ' in quotes", False
    for said, message, hint, at_opening in _SENTENCES:
        if said in problem.text:
            return message, hint, at_opening
    return f"the YAML is not well formed: {problem.text}", "", False


_NEVER_CLOSED = "unexpected end of stream"
# libyaml's words and PyYAML's own are matched by what they share.
_SENTENCES = (
    (_NEVER_CLOSED, "the quote that opens here is never closed", "", True),
    (
        "',' or ']'",
        "the list that opens with '[' here is never closed, or lacks a comma",
        "",
        True,
    ),
    ("',' or '}'", "the mapping that opens with '{' here is never closed, or lacks a comma", "", True),
    (
        "mapping values are not allowed",
        "this key does not fit: what stands before it is complete",
        "let keys of one mapping begin in one column, and write a space after ':'",
        False,
    ),
    (
        "could not find expected ':'",
        "this line is no `key: value`",
        "add the ':', or indent the line if it goes on with the text before",
        True,
    ),
    (
        "a block mapping",
        "this does not fit the mapping it stands in",
        "let keys of one mapping begin in one column; nothing follows a closing quote or bracket",
        False,
    ),
    (
        "a block collection",
        "this does not fit the list it stands in",
        "let every item begin with '- ' in one column",
        False,
    ),
    (
        "sequence entries are not allowed",
        "a list cannot begin on the line of its key",
        "begin a new line",
        False,
    ),
    ("unknown escape", "this escape does not exist", "write \\\\ for a backslash, or use single quotes", False),
    ("comment or line break", "nothing may follow '|' or '>' on the line", "begin the text on the next line", False),
    ("scanning an alias", "'*' begins an alias, and no name follows", "put text that begins with '*' in quotes", True),
    ("tag handle", "this tag is not known here", "the only tag is !raw", False),
    ("document start", "the document ended with '...' above", "remove that line", False),
    ("incompatible YAML", "this YAML version cannot be read", "remove the %YAML line", False),
)
