"""From the schema of a rendered file to that of a file as people write it, for editors.

Pydantic describes values after templates are rendered. In the file a template may stand for most of them, null takes
away what a lower layer says, and where text is wanted other scalars will do. The dialect is draft-07, which every
editor reads.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from envspec.units import DURATION_PATTERN

Schema: TypeAlias = dict[str, Any]

TEMPLATE: Schema = {"$ref": "#/$defs/Template"}
TEMPLATE_DEFINITION: Schema = {"type": "string", "pattern": r"\{\{|\{%", "description": "A template: `{{ … }}`."}
NULL: Schema = {"type": "null"}

_NOTES = ("description", "markdownDescription", "default", "examples")
_TEXT_ITEMS = ("command", "args")
"""Keys whose items are text, for which any scalar is taken as written and a mapping as JSON."""
_TEXT_VALUES = ("env", "files")
"""Keys whose values are such text, and may be lists as well."""
_LITERAL = ("ServiceSpec", "ModelSpec", "InputSpec")
"""Mappings whose keys are read before any template is rendered."""
_LITERAL_TOP = ("vars", "services", "models", "inputs", "service")
"""Keys of a file of which the same is true."""
_WORDS: Schema = {"type": ["string", "number", "boolean", "object"]}
_LINES: Schema = {"type": ["string", "number", "boolean", "object", "array", "null"]}


def as_written(schema: Schema, nullable: set[str]) -> Schema:
    """Return the schema for the file as written; a key of the definitions in `nullable` may be null."""
    definitions = {name: _without_template(_value(found)) for name, found in schema.pop("$defs", {}).items()}
    root = _without_template(_value(schema))
    root["properties"] = {
        key: _without_template(value) if key in _LITERAL_TOP else value for key, value in root["properties"].items()
    }
    for name, definition in (*definitions.items(), ("", root)):
        if name in nullable:
            definition["properties"] = {key: or_null(value) for key, value in definition["properties"].items()}
    return {**root, "$defs": {**definitions, "Template": TEMPLATE_DEFINITION}}


def or_null(schema: Schema) -> Schema:
    """Let a value be null, which means that it is not written."""
    if not schema.keys() - set(_NOTES):
        return schema  # anything goes already
    notes = {key: schema[key] for key in _NOTES if key in schema}
    members = schema.get("anyOf", [{key: value for key, value in schema.items() if key not in notes}])
    return {**notes, "anyOf": [*members, *([] if NULL in members else [NULL])]}


def or_template(schema: Schema) -> Schema:
    """Let a template stand for a value, unless any text will do."""
    members = schema.get("anyOf", [schema])
    # A second pattern beside free text would only make the editor's messages longer.
    if TEMPLATE in members or any(map(_is_any_text, members)) or not any(map(_may_be_computed, members)):
        return schema
    return {"anyOf": [*members, TEMPLATE]}


def _without_template(schema: Schema) -> Schema:
    members = [member for member in schema.get("anyOf", ()) if member != TEMPLATE]
    if len(members) != 1:
        return schema
    return {**{key: value for key, value in schema.items() if key != "anyOf"}, **members[0]}


def _value(schema: Schema) -> Schema:
    notes = described(schema.get("description", ""))
    if isinstance(schema.get("default"), str | int | float):
        notes["default"] = _default(schema)
    if "examples" in schema:
        notes["examples"] = schema["examples"]
    members = [_core(member) for member in schema.get("anyOf", [schema])]
    core = or_template(members[0] if len(members) == 1 else {"anyOf": members})
    return {**notes, **core}


def _core(schema: Schema) -> Schema:
    """Return a schema without its notes, with what is inside it as written."""
    core = {key: value for key, value in schema.items() if key not in (*_NOTES, "title", "anyOf")}
    if "properties" in core:
        core["properties"] = {key: _property(key, value) for key, value in core["properties"].items()}
    if "patternProperties" in core:
        core["patternProperties"] = {key: _entry(key, value) for key, value in core["patternProperties"].items()}
        # Pydantic leaves keys that match no pattern open, and names are checked elsewhere; an editor has only this.
        core["additionalProperties"] = False
        core["patternProperties"].setdefault("^x-", {"description": "Yours: envspec ignores it."})
    elif "properties" in core and core.get("additionalProperties") is False:
        core["patternProperties"] = {"^x-": {"description": "Yours: envspec ignores it."}}
    if isinstance(core.get("const"), str):
        core["enum"] = [core.pop("const")]  # which editors offer; a const they only check
    for key in ("additionalProperties", "items"):
        if isinstance(core.get(key), dict):
            core[key] = _value(core[key])
    return core


def _property(key: str, schema: Schema) -> Schema:
    value = _value(schema)
    for member in value.get("anyOf", [value]):
        if key in _TEXT_ITEMS and member.get("items") == {"type": "string"}:
            member["items"] = _WORDS
        if key in _TEXT_VALUES and isinstance(member.get("additionalProperties"), dict):
            member["additionalProperties"] = _LINES
        if key == "headers" and isinstance(member.get("additionalProperties"), dict):
            member["additionalProperties"] = _WORDS
    return value


def _entry(pattern: str, schema: Schema) -> Schema:
    """Return the schema of an entry of a mapping from names, which null takes away; `x-…` stays as it is."""
    return schema if pattern.startswith("^x-") else or_null(_value(schema))


def _may_be_computed(schema: Schema) -> bool:
    """Say whether a template can stand for the value: for all that is not read before templates are rendered."""
    if "$ref" in schema:
        return schema["$ref"].rsplit("/", 1)[1] not in _LITERAL
    kinds = schema.get("type", "")
    return (bool(kinds) and kinds != "null") or "enum" in schema or "const" in schema


def _is_any_text(schema: Schema) -> bool:
    return "string" in schema.get("type", "") and not schema.keys() & {"pattern", "enum", "const"}


def _default(schema: Schema) -> Any:
    default = schema["default"]
    return f"{default:g}s" if schema.get("pattern") == DURATION_PATTERN else default


def described(text: str) -> Schema:
    """Return a docstring as a description: what it raises is for programmers, its line breaks for the source.

    Editors show a `description` as it is, and `markdownDescription`, where there is one, with its code marked up.
    """
    said = re.sub(r"(?<!\n)\n(?!\n)\s*", " ", re.split(r"\n+\s*Raises:", text)[0]).strip()
    return {key: said for key in ("description", "markdownDescription")[: 2 if "`" in said else 1] if said}
