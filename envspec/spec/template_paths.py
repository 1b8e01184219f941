"""The templates that most templates are: text around paths such as `{{ ports.http }}`.

Compiling one with Jinja takes most of a millisecond, importing Jinja 40. Here it takes a split. Whatever these few
lines are not sure of, an error above all, they leave to Jinja, so that there is one set of rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from envspec.spec.template_values import TemplateProblem, Unavailable, data, in_text

_PATH = re.compile(r"\{\{ *([a-z_]\w*(?:\.[A-Za-z_]\w*)*) *\}\}", re.ASCII)
_NOT_OF_THE_SCOPE = {"true", "false", "none", "range", "dict", "namespace"}


class UnsureError(Exception):
    """Jinja must say what this template is."""


class PathTemplate:
    """A template of text and paths alone; `reads` is what it reads, as `template_reads` gives it."""

    def __init__(self, text: str) -> None:
        """Split the text.

        Raises:
            UnsureError: there is more to it.
        """
        parts = _PATH.split(text)
        self._texts, self._paths = parts[::2], [tuple(path.split(".")) for path in parts[1::2]]
        # What is left of a tag outside of the paths is something that these lines do not know.
        if not self._paths or any("{{" in part or "{%" in part for part in self._texts):
            raise UnsureError
        if any(path[0] in _NOT_OF_THE_SCOPE for path in self._paths):
            raise UnsureError
        self._whole = parts[0] == parts[-1] == "" and len(self._paths) == 1
        offsets = map(_offsets, _PATH.finditer(text))
        self.reads = tuple((path, steps, False) for path, steps in zip(self._paths, offsets, strict=True))

    def evaluate(self, scope: Mapping[str, Any]) -> Any:
        """Return the text, or the value of a single path.

        Raises:
            UnsureError: something is wrong, and Jinja says what.
        """
        values = [_value(scope, path) for path in self._paths]
        try:
            if self._whole:
                return data(values[0])
            return "".join(map("".join, zip(self._texts, [*map(in_text, values), ""], strict=True)))
        except TemplateProblem:
            raise UnsureError from None


def _offsets(path: re.Match[str]) -> tuple[int, ...]:
    return (path.start(1), *(path.start(1) + dot.end() for dot in re.finditer(r"\.", path[1])))


def _value(scope: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = scope
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            raise UnsureError
        value = value[key]
    if isinstance(value, Unavailable):
        raise UnsureError
    return value
