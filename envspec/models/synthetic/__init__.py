"""Tiny models with random weights: real files that real engines load, made in a moment, without a download.

What is in them is made by `config` and `tokenizer` (JSON) and by `tensors`, written by `safetensors`. All of it depends
on the options and nothing else, neither the machine nor anybody's version: the same options are the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path

from envspec.models.source import Tell
from envspec.models.synthetic.config import JSON_FILES
from envspec.models.synthetic.options import Synthetic
from envspec.models.synthetic.safetensors import is_whole, write_safetensors

__all__ = ["FORMAT", "Synthetic", "cached_path", "is_complete", "make"]

FORMAT = 1
"""Part of the cache's key: raised when the same options come to mean other bytes."""

_WEIGHTS = "model.safetensors"


def cached_path(options: Synthetic, cache_dir: Path) -> Path:
    """Return where a model with these options lies or will lie: one place for the same bytes."""
    key = json.dumps({"format": FORMAT, **asdict(options)}, sort_keys=True)
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return cache_dir / "models" / "synthetic" / f"{options.architecture}-{digest}"


def is_complete(path: Path) -> bool:
    """Tell whether all files of a model are at `path`."""
    return is_whole(path / _WEIGHTS) and all((path / name).is_file() for name in JSON_FILES)


def make(options: Synthetic, path: Path, tell: Tell = lambda _: None) -> bool:
    """Make the model's files at `path` unless they are there; while another process makes them, wait.

    Returns whether it was this process that made them.

    Raises:
        ModelUnavailableError: they cannot be written.
    """
    # Here, not above: agents look whether models are there, and of the time that making needs they have none.
    from envspec.models.staging import make_once

    return make_once(path, is_complete, partial(_write, options), tell)


def _write(options: Synthetic, directory: Path) -> None:
    from envspec.models.synthetic.tensors import random_tensor, tensor_shapes

    for name, content in JSON_FILES.items():
        text = json.dumps(content(options), ensure_ascii=False, indent=2)
        (directory / name).write_text(f"{text}\n", encoding="utf-8")
    write_safetensors(directory / _WEIGHTS, tensor_shapes(options), partial(random_tensor, options.seed))
