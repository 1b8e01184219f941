"""Frozen dataclasses to JSON values and back.

Understands what the plan is made of: str, int, float, bool, None, `X | None`, `Literal`, `tuple[X, ...]`,
`Mapping[str, X]`, nested dataclasses, and `object` for free data. Written by hand because the agent, which has the
standard library alone, reads plans too.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from inspect import get_annotations
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

T = TypeVar("T")


def to_json(value: object) -> Any:
    """Return `value` as what `json.dumps` takes; tuples become lists, dataclasses mappings."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    return value


def from_json(kind: type[T], data: Any) -> T:
    """Build a `kind` from what `to_json` gave.

    Keys that `kind` does not know are left out, so that an older reader understands a newer writer.

    Raises:
        TypeError: a field without default is missing.
    """
    built: T = _build(kind, data)
    return built


@cache
def _hints(kind: type) -> dict[str, Any]:
    # typing.get_type_hints takes 1.7 ms for the classes of a plan, this 0.5, in each of three processes.
    bases = reversed(kind.__mro__)
    return {name: hint for base in bases for name, hint in get_annotations(base, eval_str=True).items()}


def _build(kind: Any, data: Any) -> Any:
    if is_dataclass(kind):
        hints = _hints(kind)  # type: ignore[arg-type]  # is_dataclass narrows to an instance as well
        known = {item.name: _build(hints[item.name], data[item.name]) for item in fields(kind) if item.name in data}
        return kind(**known)  # type: ignore[operator]
    origin = get_origin(kind)
    if origin is None or origin is Literal or data is None:
        return data
    arguments = get_args(kind)
    if origin in (Union, types.UnionType):
        return _build(next(a for a in arguments if a is not type(None)), data)
    if origin is tuple:
        return tuple(_build(arguments[0], item) for item in data)
    return {key: _build(arguments[1], item) for key, item in data.items()}
