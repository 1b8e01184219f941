"""What all classes of the file format share, and the words for names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from functools import cache, partial
from typing import Annotated, Any, ClassVar, TypeVar, cast, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, TypeAdapter, create_model, model_validator
from pydantic_core import CoreSchema, core_schema

from envspec.health.values import Checked

NAME_PATTERN = r"^[a-z_][a-z0-9_]*$"
EXTENSION_PATTERN = r"^x-"

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
"""A name that templates can say: `{{ services.NAME }}`."""

M = TypeVar("M", bound="Spec")


class HintedError(ValueError):
    """What is wrong with a value, and what to write for it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Spec(BaseModel):
    """A mapping of the file: only known keys, values of exactly the type that is asked for, and keys `x-…` at will.

    The classes describe the file *rendered*: whatever was a template is a value by then. Their schemas are built when
    first used, since most commands need none of them.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        defer_build=True,
        populate_by_name=True,
        json_schema_extra={"patternProperties": {EXTENSION_PATTERN: {"description": "Yours: envspec ignores it."}}},
    )
    fields_of: ClassVar[tuple[type, ...]] = ()
    """Other classes that fields were taken from, whose source says what they mean."""

    @model_validator(mode="before")
    @classmethod
    def _without_extensions(cls, data: Any) -> Any:
        if isinstance(data, dict):
            return {key: value for key, value in data.items() if not is_extension(key)}
        return data


@cache
def part_of(model: type[M], *keys: str) -> type[M]:
    """Return `model` with some of its keys alone, for which nothing but these keys' schemas is built."""
    fields: dict[str, Any] = {key: (model.model_fields[key].annotation, model.model_fields[key]) for key in keys}
    return cast("type[M]", create_model(model.__name__, __base__=Spec, __module__=model.__module__, **fields))


class Exact:
    """Annotates a dataclass whose scalars are taken only as what they are: "false" is no bool, 1 is no text.

    A dataclass's own strict mode would not do: it refuses the mapping that the dataclass is built from as well.
    """

    described: ClassVar = False
    """Whether the schema shall carry the dataclass's descriptions (envspec.spec.descriptions)."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        if cls.described:
            for declared in (source, *_dataclasses_in(source)):
                declared.__pydantic_config__ = {**declared.__pydantic_config__, "use_attribute_docstrings": True}
        schema = handler(source)
        _make_strict(handler.resolve_ref_schema(schema), handler)
        return core_schema.no_info_before_validator_function(partial(_without_extensions, source), schema)


class Late:
    """Annotates a dataclass of which a file needs few of many: its schema is built when the first value comes."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        if Exact.described:  # for a JSON Schema there is no later
            return Exact.__get_pydantic_core_schema__(source, handler)
        return core_schema.no_info_plain_validator_function(lambda data: _adapter(source).validate_python(data))


@cache
def _adapter(source: type) -> TypeAdapter[Any]:
    return TypeAdapter(Annotated[source, Exact])


def _without_extensions(declared: type, data: Any) -> Any:
    """Return the mapping that a dataclass is built from without keys `x-…`, those of dataclasses in it included."""
    if not isinstance(data, dict):
        return data
    inner = {key: kind for key, kind in get_type_hints(declared).items() if key in data}
    return {key: _inside(inner.get(key), value) for key, value in data.items() if not is_extension(str(key))}


def _inside(declared: Any, data: Any) -> Any:
    kind = _dataclass_of(declared)
    return data if kind is None else _without_extensions(kind, data)


def _dataclasses_in(declared: type) -> Iterator[Any]:
    return filter(None, map(_dataclass_of, get_type_hints(declared).values()))


def _dataclass_of(hint: Any) -> type | None:
    """Return the dataclass that a type hint names, also as one of several alternatives."""
    return next((kind for kind in (hint, *get_args(hint)) if isinstance(kind, type) and is_dataclass(kind)), None)


def _make_strict(schema: Any, handler: GetCoreSchemaHandler) -> None:
    if isinstance(schema, dict):
        if schema.get("type") in ("bool", "int", "float", "str"):
            schema["strict"] = True
        if schema.get("type") == "definition-ref":
            _make_strict(handler.resolve_ref_schema(cast("CoreSchema", schema)), handler)
        for key in ("schema", "fields", "items_schema", "keys_schema", "values_schema", "choices"):
            _make_strict(schema.get(key), handler)
    elif isinstance(schema, list):
        for part in schema:
            _make_strict(part, handler)


def _no_pattern(text: str) -> str:
    if not text:
        return "an empty pattern matches no variable"
    # https://docs.python.org/3/library/fnmatch.html: a bracket that is never closed stands for itself.
    closed = re.fullmatch(r"(?:[^\[]|\[!?\]?[^\]]*\])+", text)
    return "" if closed else f"{text!r} has a '[' that is never closed: the bracket itself is written [[]"


Pattern = Annotated[str, Checked(_no_pattern)]
"""A pattern of names of variables: `*`, `?` and `[abc]`."""


def is_extension(key: str) -> bool:
    """Say whether a key is the user's own (`x-…`), to be ignored wherever envspec decides what keys exist."""
    return key.startswith("x-")


def name_error(what: str, name: str) -> str:
    """Return why `name` cannot name a `what`, as one sentence, or nothing where it can."""
    if re.fullmatch(NAME_PATTERN, name):
        return ""
    if re.fullmatch(r"[a-z_][a-z0-9_-]*", name):
        return (
            f"the {what} name {name!r} has a hyphen, which templates read as a minus: write {name.replace('-', '_')!r}"
        )
    return f"{name!r} cannot name a {what}: names are lower-case letters, digits and _, and do not begin with a digit"
