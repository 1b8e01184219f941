"""The engine `transformers`: a pipeline, which holds a model with its tokenizer and answers when called."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envspec.models.engines.engine import Need
from envspec.models.engines.memory import gpu_count, weights_size

FACTOR = 1.2
"""Memory by size of the weights' files: themselves, and what a short prompt's activations and the allocator take."""


class Transformers:
    """`transformers.pipeline("text-generation", model=path, **options)`; say `task=` for another kind."""

    modules = ("transformers", "torch")
    install = "pip install transformers torch"
    signs_of_exhaustion = ()

    def prepare(self) -> None:
        """Import it, and torch with it."""
        import torch  # noqa: F401  for what importing it takes
        from transformers import pipeline  # noqa: F401

    def needs(self, path: Path, options: Mapping[str, Any]) -> Need:
        """Take the weights where they will be: on the GPU if there is one, unless the options say cpu."""
        size = int(weights_size(path) * FACTOR)
        device = str(options.get("device") or options.get("device_map") or "")
        on_gpu = gpu_count() > 0 and device not in ("cpu", "-1")
        return Need(gpu=size) if on_gpu else Need(ram=size)

    def load(self, path: Path, options: Mapping[str, Any]) -> Any:
        """Return the pipeline."""
        from transformers import pipeline

        return pipeline(**{"task": "text-generation", **options}, model=str(path))

    def release(self, engine: Any) -> None:
        """Do nothing: a pipeline ends when it is forgotten."""
