"""Templates that nobody quoted, which YAML takes for mappings or cannot read at all."""

from __future__ import annotations

import re

from envspec.errors import Diagnostic
from envspec.spec.diagnostics import at
from envspec.spec.nodes import Mark

_OPENING = re.compile(r"\{[{%]")
_CLOSED = re.compile(r"\{[{%].*[%}]\}")
_IN_BRACKETS = re.compile(r"[\[{]")
_ONE_VALUE = re.compile(r"(?:\{\{(?:[^{}]|\{[^{}]*\})*\}\}|\{%(?:[^%]|%(?!\}))*%\}|[^{}\[\],])*")


class Mended:
    """A text in which plain words stand for the templates that nobody quoted, so that the rest of it can be read.

    A word is as long as its template, so that nothing changes its place; it takes what stands before it as well.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._templates: dict[int, str] = {}

    def mend(self, index: int) -> bool:
        """Put a word for the value with a template that begins at `index`; return whether that could be done."""
        template = value_at(self.text, index)
        if not _CLOSED.search(template):
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
    """Return the finding for the value that begins at `index`, at its template, with the quoted form as the hint."""
    template, opening = value_at(text, index), _OPENING.search(text, index)
    place = opening.start() if opening else index
    before = text[:place]
    mark = Mark(file, before.count("\n") + 1, place - before.rfind("\n"))
    begins = place == index
    message = f"a value {'that begins with' if begins else 'in brackets that holds'} a template is quoted"
    # In double quotes YAML would want every \" of the template escaped.
    quote = "'" if '"' in template else '"'
    whole = begins or _CLOSED.search(template)
    return at(mark, "unquoted-template", message, f"quote it: {quote}{template}{quote}" if whole else "quote it")


def value_at(text: str, index: int) -> str:
    """Return what to quote of the line, from `index` on.

    Within brackets a comma or a bracket ends the value, else the line's last template does.
    """
    before = text[text.rfind("\n", 0, index) + 1 : index]
    rest = text[index:].partition("\n")[0]
    # Outside of brackets, a value that does not begin with a template needs no quotes.
    if _IN_BRACKETS.search(before) or not _OPENING.match(rest):
        found = _ONE_VALUE.match(rest)
        return found[0].rstrip() if found else rest
    return rest[: max(rest.rfind("}}"), rest.rfind("%}"), 0) + 2]
