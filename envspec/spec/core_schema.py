"""What a plain scalar means by the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema).

PyYAML resolves by YAML 1.1, where `no` is false, `22:22` is 1342 and `010` is 8. Here they are text, text and 10.
"""

from __future__ import annotations

import re
from typing import Any

CONSTANTS = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}

LONGEST = 4300
"""So many digits Python reads as an integer; anything longer stays text."""

_DECIMAL = re.compile(r"[-+]?[0-9]+")
_PREFIXED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NUMBERS_BEGIN = frozenset("+-.0123456789")


TAGS: dict[str, tuple[tuple[type, ...], str]] = {
    "tag:yaml.org,2002:str": ((str,), "text"),
    "tag:yaml.org,2002:null": ((type(None),), "null"),
    "tag:yaml.org,2002:bool": ((bool,), "true or false"),
    "tag:yaml.org,2002:int": ((int,), "a whole number"),
    "tag:yaml.org,2002:float": ((int, float), "a number"),
}
"""The schema's tags for scalars: what a value must be, and what that is called."""


def tagged_value(tag: str, text: str) -> Any:
    """Return what a scalar says with one of `TAGS` before it, whether it is quoted or not.

    Raises:
        ValueError: the text does not say such a value.
    """
    types, what = TAGS[tag]
    value = text if str in types else core_value(text)
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        message = f"{text!r} is not {what}"
        raise ValueError(message)
    return float(value) if isinstance(value, int) and float in types else value


def core_value(text: str) -> Any:
    """Return what the plain scalar `text` says: null, a bool, an int, a float, or the text itself."""
    if text in CONSTANTS:
        return CONSTANTS[text]
    if text[0] not in _NUMBERS_BEGIN or len(text) > LONGEST:
        return text
    if _DECIMAL.fullmatch(text):
        return int(text)
    if _PREFIXED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
