"""A catalog entry of one's own, checked by itself: in an environment whose only service uses it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from envspec.errors import SpecError
from envspec.spec.catalog import read_entry
from envspec.spec.catalog_entry import InputSpec
from envspec.spec.findings import Findings
from envspec.spec.nodes import MapNode, Mark, node_of
from envspec.spec.reading import read_bytes
from envspec.spec.service_spec import ServiceSpec
from envspec.spec.source import MAX_BYTES, read

_SERVICE = re.compile(rb"""^["']?service["']?\s*:""", re.MULTILINE)
_MODEL = {"synthetic": {"architecture": "qwen3"}}


def is_entry(file: Path) -> bool:
    """Say whether a file is a catalog entry: its top key `service` holds keys of a service."""
    try:
        # What is no regular file can be read once only; reading all files of a project as YAML would take its time.
        if not file.is_file() or not _SERVICE.search(read_bytes(file, MAX_BYTES)):
            return False
        root = read(file, [])  # one in which a key is written twice is an entry all the same
    except (OSError, ValueError, SpecError):
        return False
    service = root.get("service")
    known = {field.alias or name for name, field in ServiceSpec.model_fields.items()}
    return root.get("services") is None and isinstance(service, MapNode) and any(map(service.get, known))


def environment_of(file: Path, findings: Findings) -> MapNode | None:
    """Return an environment that uses the entry, or None where there can be none and all that can be told is noted.

    Inputs that must be given get a value where any would do: one of the choices, or a model. What names one that could
    be anything goes unjudged.
    """
    try:
        entry = read_entry(file, Findings())
    except SpecError as error:
        findings.diagnostics.extend(error.diagnostics)
        return None
    if entry is None:
        read_entry(file, findings)
        return None
    given = {name: _stand_in(name, spec) for name, spec in entry.inputs.items() if _needs_value(spec)}
    for key, value in given.items():
        if value is None:
            findings.spoil("inputs", key)
    name = re.sub(r"\W", "_", file.stem.lower())
    data = {
        "models": {key: _MODEL for key, spec in entry.inputs.items() if spec.type == "model"},
        "services": {name if re.match(r"[a-z_]", name) else "entry": {"use": f"./{file.name}", "with": given}},
    }
    tree = node_of(data, Mark(str(file), 1, 1))
    return tree if isinstance(tree, MapNode) else None


def _needs_value(spec: InputSpec) -> bool:
    return spec.type == "model" or "default" not in spec.model_fields_set


def _stand_in(name: str, spec: InputSpec) -> Any:
    return name if spec.type == "model" else spec.choices[0] if spec.choices else None
