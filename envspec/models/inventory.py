"""Which files an engine would miss in a model's directory, told before the engine is started."""

from __future__ import annotations

import json
from pathlib import Path

WEIGHTS = (".safetensors", ".bin", ".pt", ".gguf")
SINGLE = (*WEIGHTS, ".pth", ".ckpt", ".onnx", ".nemo", ".llamafile")
"""What a model of one file alone ends with."""
GGUF = b"GGUF"
"""What such a file begins with, whatever it is called: some programs call it by its digest."""
INDEX = "*.index.json"
"""Where weights are split, this names the parts: `{"weight_map": {tensor: file}}`."""
NO_WEIGHTS = "weights (*.safetensors)"


def missing_files(directory: Path, *, weights: bool = True) -> list[str]:
    """Return the names of what is missing, empty where an engine would find all. A single file is all, or no model.

    A link into nowhere, as an interrupted download leaves it, counts as missing.

    Raises:
        OSError: that cannot be seen.
    """
    if directory.is_file():
        return [] if _is_model(directory) else [NO_WEIGHTS]
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
    return [] if present else [NO_WEIGHTS]


def _is_model(file: Path) -> bool:
    if file.suffix in SINGLE:
        return True
    with file.open("rb") as begin:
        return begin.read(len(GGUF)) == GGUF


def _parts(index: Path) -> set[str]:
    try:
        return set(json.loads(index.read_text("utf-8")).get("weight_map", {}).values())
    except (OSError, ValueError, AttributeError):
        return set()
