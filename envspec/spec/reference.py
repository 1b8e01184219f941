"""The tables of docs/spec.md, made from what the classes say of themselves.

The page is written by hand but for its tables, which stand between two comments:

    <!-- keys of ServiceSpec: use with kind -->
    <!-- end -->

`envspec schema`, called in a checkout, writes them anew; a test fails where the page has fallen behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from inspect import cleandoc
from pathlib import Path
from typing import Any

from envspec.health import VALIDATORS
from envspec.spec.catalog import shipped_names
from envspec.spec.catalog_entry import CatalogEntry, InputSpec
from envspec.spec.descriptions import described_schema
from envspec.spec.environment_file import EnvironmentFile
from envspec.spec.json_schema import head
from envspec.spec.written_schema import Schema, described
from envspec.units import DURATION_PATTERN, SIZE_PATTERN

PAGE = Path("docs/spec.md")

_TABLE = re.compile(r"(<!-- (keys of|validators|entries) ?(\w*):? ?([\w ]*) -->\n).*?(<!-- end -->)", re.DOTALL)
_LINKS = {
    "ServiceSpec": "[service](#services)",
    "PortSpec": "[port](#ports)",
    "PortsSpec": "[mapping](#where-ports-come-from)",
    "ModelSpec": "[model](#models)",
    "Synthetic": "[mapping](#models)",
    "RequiresSpec": "[mapping](#what-the-host-must-have)",
    "ValidatorSpec": "[validator](#validators)",
    "ActionSpec": "[action](#validators)",
    "InputSpec": "[input](#inputs)",
    "Tls": "[mapping](#tls)",
    "StopSpec": "[mapping](#the-end-of-a-service)",
    "RestartSpec": "[mapping](#the-end-of-a-service)",
    "LivenessSpec": "[mapping](#health)",
    "AttachSpec": "[mapping](#what-already-runs)",
    "FaultSpec": "[fault](#faults)",
}
_SCALARS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}


def is_reference(file: Path) -> bool:
    """Say whether a file is this page, and not somebody else's of the same name."""
    return file.is_file() and b"<!-- keys of EnvironmentFile: -->" in file.read_bytes()


def rewritten(page: str) -> str:
    """Return the page with all of its tables made anew."""
    return _TABLE.sub(lambda match: f"{match[1]}\n{_made(match[2], match[3], match[4])}\n{match[5]}", page)


@cache
def definitions() -> dict[str, Schema]:
    """Return the schemas of all classes of the format, by their names, the root's included."""
    entry, root = described_schema(CatalogEntry), described_schema(EnvironmentFile)
    return {**entry.pop("$defs"), **root.pop("$defs"), "CatalogEntry": entry, "EnvironmentFile": root}


def properties_of(name: str) -> dict[str, Schema]:
    """Return a class's keys; a class with short forms, such as a port's, has them in the form that is a mapping."""
    found = definitions()[name]
    return next(form["properties"] for form in (found, *found.get("anyOf", ())) if "properties" in form)


def _made(what: str, name: str, keys: str) -> str:
    if what == "keys of":
        return _keys(name, keys.split())
    return _validators() if what == "validators" else _entries()


def _keys(name: str, keys: Iterable[str]) -> str:
    """Return the table of a class's keys; of all of them where none are named."""
    properties = properties_of(name)
    needed = definitions()[name].get("required", [])
    shown = [(key, properties[key]) for key in keys or properties]
    rows = [(f"`{key}`", _type(schema), _meaning(schema, needed=key in needed)) for key, schema in shown]
    return _table(("key", "value", "meaning"), rows)


def _validators() -> str:
    """Return a section for each validator."""
    sections = []
    for kind, validator in VALIDATORS.items():
        said = described(cleandoc(validator.__doc__ or ""))["description"]
        groups = [_either(group) for group in validator.choose_one]
        chosen = f"\n\nIt takes exactly one of {', and one of '.join(groups)}." if groups else ""
        sections.append(f"### `{kind}`\n\n{said}{chosen}\n\n{_keys(validator.__name__, ())}")
    return "\n".join(sections)


def _entries() -> str:
    """Return a section for each shipped catalog entry, with its inputs."""
    sections = []
    for name in shipped_names():
        entry = head(name)
        rows = [(f"`{key}`", spec.type, _input(spec)) for key, spec in entry.inputs.items()]
        inputs = _table(("input", "type", "meaning"), rows) if rows else "It has no inputs.\n"
        source = f"[{name}.yaml](../envspec/catalog/{name}.yaml)"
        sections.append(f"### `{name}`\n\n{entry.description.strip()} Its definition is {source}.\n\n{inputs}")
    return "\n".join(sections)


def _input(spec: InputSpec) -> str:
    choices = f" One of {_either(spec.choices)}." if spec.choices else ""
    if "default" not in spec.model_fields_set:
        return f"**Must be given.** {spec.description}{choices}"
    return f"{spec.description}{choices}{_default(spec.default)}"


def _meaning(schema: Schema, *, needed: bool) -> str:
    said = described(schema.get("description", "")).get("description", "")
    if needed:
        return f"**Must be written.** {said}"
    default = schema.get("default")
    if schema.get("pattern") == DURATION_PATTERN and isinstance(default, float):
        default = f"{default:g}s"
    return said if "Default:" in said or isinstance(default, dict | list) else f"{said}{_default(default)}"


def _default(value: Any) -> str:
    if value is None or value == "":
        return ""
    return f" Default: `{str(value).lower() if isinstance(value, bool) else value}`."


def _type(schema: Schema) -> str:
    """Say in words what a value can be."""
    if "$ref" in schema:
        return _LINKS[schema["$ref"].rsplit("/", 1)[1]]
    if "anyOf" in schema:
        return ", or ".join(_type(member) for member in schema["anyOf"] if member != {"type": "null"})
    if "enum" in schema or "const" in schema:
        return _either(schema.get("enum", [schema.get("const")]))
    return _composite(schema) or _scalar(schema)


def _composite(schema: Schema) -> str:
    if schema.get("type") == "array":
        return f"list of {_plural(_type(schema['items']))}" if schema.get("items") else "list"
    if schema.get("type") == "object":
        named = [value for key, value in schema.get("patternProperties", {}).items() if key != "^x-"]
        values = [*named, schema["additionalProperties"]] if "additionalProperties" in schema else named
        known = [value for value in values if isinstance(value, dict) and value]
        return f"mapping to {_plural(_type(known[0]))}" if known else "mapping"
    return ""


def _plural(words: str) -> str:
    return re.sub(r"\[(\w+)\]|(?<=number)$", lambda match: f"[{match[1]}s]" if match[1] else "s", words)


def _scalar(schema: Schema) -> str:
    by_pattern = {DURATION_PATTERN: "duration", SIZE_PATTERN: "size"}
    return by_pattern.get(schema.get("pattern", ""), _SCALARS.get(schema.get("type", ""), "anything"))


def _either(options: Iterable[object]) -> str:
    *most, last = (f"`{option}`" for option in options)
    return f"{', '.join(most)} or {last}" if most else last


def _table(head_row: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head_row, ("---",) * len(head_row), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in lines)
