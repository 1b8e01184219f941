"""Which files of a repository an environment asks for: `include`, `exclude` and `tokenizer_only`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from envspec.models.hub.options import Hub

WEIGHTS = (
    *("*.safetensors", "*.bin", "*.pt", "*.pth", "*.gguf", "*.onnx", "*.onnx_data", "*.h5", "*.msgpack", "*.ckpt"),
    *(
        "*.npz",
        "*.ot",
        "*.tflite",
        "*.mlmodel",
        "*.mlpackage/*",
        "*.nemo",
        "*.safetensors.index.json",
        "*.bin.index.json",
    ),
)
"""What `tokenizer_only` leaves out: weights in every format that is met on the hub, and the indexes that name them."""


def selected(paths: Iterable[str], options: Hub) -> list[str]:
    """Return those of `paths` that are asked for, sorted. Patterns are those of huggingface_hub: `*` crosses `/`."""
    leave_out = (*options.exclude, *WEIGHTS) if options.tokenizer_only else options.exclude
    return sorted(
        path
        for path in paths
        if (not options.include or _matches(path, options.include)) and not _matches(path, leave_out)
    )


def selection_key(options: Hub, hub_cache: Path) -> str:
    """Return a name for what is asked for, and of which cache: the same for the same selection."""
    asked = (sorted(options.include), sorted(options.exclude), options.tokenizer_only, str(hub_cache))
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:12]


def _matches(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(path, f"{pattern}*" if pattern.endswith("/") else pattern) for pattern in patterns)
