"""Which files an engine would miss in a model's directory, told before the engine is started."""

from __future__ import annotations

import json
from pathlib import Path

WEIGHTS = (".safetensors", ".bin", ".pt", ".gguf")
SINGLE = (*WEIGHTS, ".pth", ".ckpt", ".onnx", ".nemo", ".llamafile")
"""What a model of one file alone ends with."""
GGUF = b"GGUF"
"""What such a file begins with, whatever it is called: some programs call it by its digest."""
POINTER = b"version https://git-lfs"
"""What a file begins with that stands for a large one where a repository was cloned without `git lfs`."""
LONGEST_POINTER = 1024
"""Bytes (github.com/git-lfs/git-lfs, docs/spec.md)."""
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


def pointers(place: Path) -> list[str]:
    """Return the names of files, in a directory or of one alone, that are pointers of Git LFS to what should be there.

    Raises:
        OSError: that cannot be seen.
    """
    return sorted(file.name for file in (place.iterdir() if place.is_dir() else (place,)) if is_pointer(file))


def is_pointer(file: Path) -> bool:
    """Tell whether a file is a pointer of Git LFS.

    Raises:
        OSError: that cannot be seen.
    """
    if not file.is_file() or file.stat().st_size >= LONGEST_POINTER:
        return False
    with file.open("rb") as begin:
        return begin.read(len(POINTER)) == POINTER


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
