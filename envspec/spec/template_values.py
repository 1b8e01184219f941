"""Values on their way into and out of templates, without Jinja: what is text, what is data, what cannot be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import NoneType
from typing import Any, ClassVar


class TemplateProblem(Exception):  # noqa: N818  it becomes a diagnostic, and never leaves envspec.spec.template
    """What is wrong with a template; `offset` is the character concerned, or None for the expression at work."""

    code: ClassVar[str] = "template"
    """The code of its diagnostic."""

    def __init__(self, offset: int | None, hint: str, message: str) -> None:
        super().__init__(message)
        self.offset, self.hint = offset, hint


class BadTemplate(TemplateProblem):
    """It is no template, whatever the values of the names in it are."""

    code: ClassVar[str] = "bad-template"


class TooLong(TemplateProblem):
    """The template takes too long; asking it again would take as long again."""


class Unavailable:
    """A value of a scope that cannot be read here: `message` and `hint` say why, where a template tries to."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message, self.hint = message, hint


def kind(value: object) -> str:
    """Name the type of a value as the file format calls it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    for types, name in _KINDS:
        if isinstance(value, types):
            return name
    return "not a value"


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (str, "text"),
    ((int, float), "a number"),
    (Mapping, "a mapping"),
    (Iterable, "a list"),
)


def in_text(value: object) -> str:
    """Write a value within longer text.

    Raises:
        TemplateProblem: it is null, a list or a mapping.
    """
    if isinstance(value, str):
        return str(value)  # Jinja's Markup becomes plain
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    hints = {"null": "add `or ''` to have nothing there", "a list": "add `| join(' ')`, or `| tojson`"}
    raise TemplateProblem(None, hints.get(kind(value), "add `| tojson`"), f"{kind(value)} cannot stand within text")


def data(value: Any, absent: type = NoneType) -> Any:
    """Return plain data for what a whole expression says.

    `absent` is the type of what is not there: it is null, or raises when asked for its text.

    Raises:
        TemplateProblem: there is something in it that a file could not say, such as a function.
    """
    if isinstance(value, absent):
        str(value)
        return None
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): data(item, absent) for key, item in value.items()}
    if isinstance(value, Iterable):
        return [data(item, absent) for item in value]
    if isinstance(value, Unavailable):
        raise TemplateProblem(None, value.hint, value.message)
    raise TemplateProblem(None, "", f"this is {kind(value)}")
