"""Which files an engine would miss in a model's directory, told before the engine is started."""

from __future__ import annotations

import json
from pathlib import Path

WEIGHTS = (".safetensors", ".bin", ".pt", ".gguf")
INDEX = "*.index.json"
"""Where weights are split, this names the parts: `{"weight_map": {tensor: file}}`."""


def missing_files(directory: Path, *, weights: bool = True) -> list[str]:
    """Return the names of what is missing, empty where an engine would find all. A single file is whole.

    A link into nowhere, as an interrupted download leaves it, counts as missing.
    """
    if directory.is_file():
        return []
    if not directory.is_dir():
        return [f"{directory.name or directory} itself"]
    missing = [] if (directory / "config.json").is_file() else ["config.json"]
    if weights:
        missing += _missing_weights(directory)
    return missing


def _missing_weights(directory: Path) -> list[str]:
    named = {name for index in sorted(directory.glob(INDEX)) for name in _parts(index)}
    if named:
        return sorted(name for name in named if not (directory / name).is_file())
    present = any(path.suffix in WEIGHTS and path.is_file() for path in directory.iterdir())
    return [] if present else ["weights (*.safetensors)"]


def _parts(index: Path) -> set[str]:
    try:
        return set(json.loads(index.read_text("utf-8")).get("weight_map", {}).values())
    except (OSError, ValueError, AttributeError):
        return set()
