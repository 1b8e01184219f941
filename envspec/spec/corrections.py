"""How to write what was probably meant, where a value is of a wrong type."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from envspec.record import Record
from envspec.spec.core_schema import core_value
from envspec.spec.nodes import Scalar
from envspec.spec.template_values import kind
from envspec.units import DURATION_PATTERN

_SHORT_FORMS: Mapping[tuple[str | int, ...], tuple[tuple[str, str], ...]] = {
    ("restart",): (("on", "never|failure|always"),),
    ("stop",): (("signal", "TERM|INT|QUIT|HUP|KILL|ABRT|USR1|USR2|WINCH"), ("timeout", DURATION_PATTERN)),
    ("liveness",): (("every", DURATION_PATTERN), ("failures", "[0-9]+")),
}
"""Mappings for which people write one value alone, and the key that it was meant for."""
_BOOLS = {**dict.fromkeys(("yes", "y", "on", "1"), True), **dict.fromkeys(("no", "n", "off", "0"), False)}
"""What people write for a bool elsewhere; YAML 1.1 took these words for one."""

_AS_TEXT = "make it text in the template: `| string`"


class Correction(Record):
    """What to write instead: in words, and the value that it would be."""

    hint: str
    value: Any


def correction(node: Scalar, wanted: tuple[str, ...], path: tuple[str | int, ...]) -> Correction | None:
    """Return how what stands at `path` was probably meant, where it is one of these types that is wanted."""
    if node.value is None:
        return None
    # YAML took it for something else than it was meant to be, or the quotes kept it from being that.
    if node.plain and not isinstance(node.value, str) and "text" in wanted:
        return Correction(f'quote it: "{node.text}"' if node.written else _AS_TEXT, node.text)
    if "a mapping" in wanted:
        return _short_form(path[-1:], node.text)
    if "true or false" in wanted and (meant := _BOOLS.get(node.text.lower())) is not None:
        return Correction(f"write {'true' if meant else 'false'}", meant)
    if not node.plain and (value := _unquoted(node.text, wanted)) is not None:
        return Correction(f"write {node.text} without quotes", value)
    words = _words(node.text, is_command=path[-1:] in (("command",), ("args",))) if "a list" in wanted else []
    return Correction(_as_list(words), words) if words else None


def list_hint(text: str, *, is_command: bool = False) -> str:
    """Return how to write as a list what was written as text: the words that a shell would see, or those of a list."""
    words = _words(text, is_command=is_command)
    return _as_list(words) if words else ""


def _short_form(path: tuple[str | int, ...], text: str) -> Correction | None:
    """Return a mapping of which only the most telling value was written."""
    inner = next((inner for inner, pattern in _SHORT_FORMS.get(path, ()) if re.fullmatch(pattern, text)), "")
    return Correction(f"write {{{inner}: {text}}}", {inner: core_value(text)}) if inner else None


def _unquoted(text: str, wanted: tuple[str, ...]) -> Any:
    """Return what a text means without its quotes, if that is wanted; else None."""
    value = core_value(text) if text else None
    return value if {"a number": "a whole number", "a boolean": "true or false"}.get(kind(value)) in wanted else None


def _words(text: str, *, is_command: bool) -> list[str]:
    if not text.isprintable():
        return []
    try:
        return shlex.split(text) if is_command else re.split(r"[,\s]+", text.strip(", \t"))
    except ValueError:  # a quote that is never closed
        return []


def _as_list(words: list[str]) -> str:
    return f"write [{', '.join(map(_item, words))}]"


def _item(word: str) -> str:
    """Write a word as an item of `[…]`, in quotes where YAML would take it for something else."""
    is_plain = re.fullmatch(r"-{0,2}[\w./+=^~][\w./+=^~@%:-]*", word)
    if is_plain and not word.endswith(":") and isinstance(core_value(word), str):
        return word
    return json.dumps(word, ensure_ascii=False)
