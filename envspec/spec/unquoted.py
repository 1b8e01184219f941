"""Templates that nobody quoted, which YAML takes for mappings or cannot read at all."""

from __future__ import annotations

import re

from envspec.errors import Diagnostic
from envspec.spec.diagnostics import at
from envspec.spec.nodes import Mark

_CLOSED = re.compile(r"\{[{%].*[%}]\}")
_IN_BRACKETS = re.compile(r"[\[{]")
_ONE_VALUE = re.compile(r"(?:\{\{(?:[^{}]|\{[^{}]*\})*\}\}|\{%(?:[^%]|%(?!\}))*%\}|[^{}\[\],])*")


class Mended:
    """A text in which plain words stand for the templates that nobody quoted, so that the rest of it can be read.

    A word is as long as its template, so that nothing changes its place.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._templates: dict[int, str] = {}

    def mend(self, index: int) -> bool:
        """Put a word for the template at `index`; return whether that could be done."""
        template = _template_at(self.text, index)
        if not _CLOSED.match(template):
            return False  # it goes on in the next line
        self._templates[index] = template
        self.text = self.text[:index] + "x" * len(template) + self.text[index + len(template) :]
        return True

    def is_template(self, index: int) -> bool:
        """Say whether a word that begins at `index` stands for a template."""
        return index in self._templates

    def original(self, said: str, index: int) -> str:
        """Return what a scalar that begins at `index` says, with its template for the word."""
        template = self._templates[index]
        return template + said[len(template) :]


def unquoted_template(text: str, index: int, file: str) -> Diagnostic:
    """Return the finding for a template that nobody quoted, with its quoted form as the hint."""
    template = _template_at(text, index)
    # In double quotes YAML would want every \" of the template escaped.
    quote = "'" if '"' in template else '"'
    before = text[:index]
    mark = Mark(file, before.count("\n") + 1, index - before.rfind("\n"))
    message, hint = "a value that begins with a template is quoted", f"quote it: {quote}{template}{quote}"
    return at(mark, "unquoted-template", message, hint)


def _template_at(text: str, index: int) -> str:
    """Return what to quote. Within brackets a comma or a bracket ends the value, else the line's last template does."""
    before = text[text.rfind("\n", 0, index) + 1 : index]
    rest = text[index:].partition("\n")[0]
    if _IN_BRACKETS.search(before):
        found = _ONE_VALUE.match(rest)
        return found[0].rstrip() if found else rest
    return rest[: max(rest.rfind("}}"), rest.rfind("%}"), 0) + 2]
