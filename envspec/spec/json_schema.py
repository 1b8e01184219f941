"""The JSON Schemas of environments and catalog entries, for completion, hover and red lines in an editor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from envspec.health import VALIDATORS
from envspec.models import SOURCES
from envspec.spec.base import Spec
from envspec.spec.catalog import SHIPPED, shipped_names
from envspec.spec.catalog_entry import CatalogEntry, InputSpec
from envspec.spec.descriptions import described_schema
from envspec.spec.environment_file import EnvironmentFile
from envspec.spec.fault_spec import ACTIONS
from envspec.spec.model_spec import owners
from envspec.spec.nodes import MapNode, plain_data
from envspec.spec.source import read
from envspec.spec.written_schema import NULL, TEMPLATE, Schema, as_written, described, or_null, or_template

DIALECT = "http://json-schema.org/draft-07/schema#"

_INPUT_TYPES: dict[str, Schema] = {
    "string": {"type": ["string", "number", "boolean"]},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "list": {"type": "array"},
    "map": {"type": "object"},
    "model": {"type": "string"},
    "service": {"type": "string"},
}


def environment_schema() -> Schema:
    """Return the schema of an environment file."""
    schema = _schema(EnvironmentFile, "an envspec environment", {"", "ServiceSpec"})
    _know_the_catalog(schema["$defs"])
    _choose_a_source(schema["$defs"]["ModelSpec"])
    _choose(schema["$defs"]["FaultSpec"], (ACTIONS,))
    return schema


def entry_schema() -> Schema:
    """Return the schema of a catalog entry, which `use: ./entry.yaml` names."""
    schema = _schema(CatalogEntry, "an entry of envspec's catalog", {"ServiceSpec"})
    service = schema["$defs"]["ServiceSpec"]["properties"]
    # Whoever wants an entry like another copies it, so that what an entry says can be read in one place.
    del service["use"], service["with"]
    return schema


SCHEMAS: dict[str, Callable[[], Schema]] = {
    "environment.schema.json": environment_schema,
    "entry.schema.json": entry_schema,
}
"""By the name of its file in `schemas/`."""


def _schema(model: type[Spec], title: str, nullable: set[str]) -> Schema:
    schema = as_written(described_schema(model), nullable)
    definitions = schema["$defs"]
    for kind, validator in VALIDATORS.items():
        for holder in ("ValidatorSpec", "ActionSpec"):
            properties = definitions.get(holder, {}).get("properties", {})
            if kind in properties:
                properties[kind] = _without_null(properties[kind])
        _choose(definitions.get(validator.__name__, {}), validator.choose_one)
    return {"$schema": DIALECT, "title": title, **schema}


def _without_null(schema: Schema) -> Schema:
    """A validator is written with its fields, of which none may be needed, but never as null."""
    return {**schema, "anyOf": [member for member in schema["anyOf"] if member != NULL]}


def _choose(definition: Schema, groups: tuple[tuple[str, ...], ...]) -> None:
    """Ask for exactly one field of each group."""
    if groups:
        definition["allOf"] = [{"oneOf": [{"required": [field]} for field in group]} for group in groups]


def _choose_a_source(model: Schema) -> None:
    """Ask for exactly one source, and for the one that a key belongs to."""
    _choose(model, (tuple(SOURCES),))
    model["dependencies"] = {key: [source] for key, source in owners().items() if key not in SOURCES}


def _know_the_catalog(definitions: dict[str, Schema]) -> None:
    """Let `use` offer the shipped entries, and `with` the inputs of the one that is used."""
    entries = {name: head(name) for name in shipped_names()}
    service = definitions["ServiceSpec"]
    shipped = {"enum": list(entries), "markdownEnumDescriptions": [entry.description for entry in entries.values()]}
    path = {"type": "string", "pattern": r"/|\.ya?ml$"}
    notes = {key: value for key, value in service["properties"]["use"].items() if key != "anyOf"}
    service["properties"]["use"] = or_null({**notes, "anyOf": [shipped, path, TEMPLATE]})
    service["allOf"] = [_inputs_of(name, entry) for name, entry in entries.items()]


def head(name: str) -> CatalogEntry:
    """Read what a shipped entry declares, without its service."""
    node = read(SHIPPED / f"{name}.yaml")
    kept = tuple(item for item in node.items if item[0].text in ("description", "inputs"))
    return CatalogEntry.model_validate({**plain_data(MapNode(node.mark, kept)), "service": {}})


def _inputs_of(name: str, entry: CatalogEntry) -> Schema:
    # An input without default is red until it is given, although a file that this one extends might give it.
    needed = [key for key, value in entry.inputs.items() if "default" not in value.model_fields_set]
    # Not "type": of what may stand here (a template as well), all this is about a mapping alone.
    given: Schema = {
        "description": entry.description,
        "additionalProperties": False,
        "patternProperties": {"^x-": {}},
        "properties": {key: _input(value) for key, value in entry.inputs.items()},
    }
    if needed:
        given["required"] = needed
    then: Schema = {"properties": {"with": given}, **({"required": ["with"]} if needed else {})}
    return {"if": {"properties": {"use": {"const": name}}, "required": ["use"]}, "then": then}


def _input(spec: InputSpec) -> Schema:
    value: Schema = {"enum": spec.choices} if spec.choices is not None else dict(_INPUT_TYPES[spec.type])
    default: dict[str, Any] = {} if spec.default is None else {"default": spec.default}
    return {**described(spec.description), **default, **or_null(or_template(value))}
