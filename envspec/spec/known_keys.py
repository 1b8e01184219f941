"""Which keys a place of the file can have, read from the types that describe it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel


def keys_at(model: Any, path: tuple[str | int, ...]) -> list[str]:
    """Return the keys that a mapping at `path` below a value of type `model` can have, in order of declaration."""
    types = list(_alternatives(model))
    for step in path:
        types = [inner for outer in types for below in _below(outer, step) for inner in _alternatives(below)]
    return [key for found in types for key in _members(found)]


def _alternatives(declared: Any) -> Iterator[Any]:
    """Yield the types that a declaration allows: the members of a union, without annotations."""
    origin = get_origin(declared)
    if origin is Annotated:
        yield from _alternatives(get_args(declared)[0])
    elif origin in (Union, UnionType):
        for member in get_args(declared):
            yield from _alternatives(member)
    else:
        yield declared


def _members(declared: Any) -> dict[str, Any]:
    """Return the keys of a class and their types."""
    if isinstance(declared, type) and issubclass(declared, BaseModel):
        return {field.alias or name: field.annotation for name, field in declared.model_fields.items()}
    if isinstance(declared, type) and is_dataclass(declared):
        hints = get_type_hints(declared, include_extras=True)
        return {field.name: hints[field.name] for field in fields(declared)}
    return {}


def _below(declared: Any, step: str | int) -> list[Any]:
    """Return the type behind a key or an index: none where there can be no such thing."""
    arguments = get_args(declared)
    if arguments:  # a list has one type of items, a mapping a type of keys and one of values
        return [arguments[-1]]
    # A step that is no key here belongs to another member of a union.
    members = _members(declared)
    return [members[str(step)]] if step in members else []
