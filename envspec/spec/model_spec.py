"""Models as the file declares them."""

from __future__ import annotations

from typing import Annotated

from envspec.models.synthetic import Synthetic
from envspec.spec.base import Exact, Spec

NOT_YET = {
    **dict.fromkeys(("repo", "revision", "include", "exclude"), "models from a hub are not in this version of envspec"),
    "path": "models at a local path are not in this version of envspec",
}


class ModelSpec(Spec):
    """The weights and tokenizer of an LLM."""

    synthetic: Annotated[Synthetic, Exact]
    """Make a tiny model with random weights: `{architecture: qwen3}`."""
    name: str | None = None
    """The name to serve it under. Default: the key."""
    preload: bool = True
    """Make the files before anything starts; `false` makes them when the first service needs them."""
