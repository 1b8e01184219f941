"""WEIGHTS: where a model's files come from. A source is one file of this package and one line of `SOURCES`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envspec.models import synthetic


@dataclass(frozen=True)
class Source:
    """What a source of models can do.

    `options` is the dataclass of what the file may say of such a model. `cached_path(options, cache_dir)` is where its
    files are or will be, known without making them. `is_complete(path)` tells whether they all are there, and
    `make(options, path)` puts them there: one process does it, others that ask meanwhile wait for it.
    """

    options: type[Any]
    cached_path: Callable[[Any, Path], Path]
    is_complete: Callable[[Path], bool]
    make: Callable[[Any, Path], None]


SOURCES = {
    "synthetic": Source(synthetic.Synthetic, synthetic.cached_path, synthetic.is_complete, synthetic.make),
}
"""By the key of the file: `models: {chat: {synthetic: {…}}}`."""
