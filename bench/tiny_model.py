"""The model of the benchmarks: tiny, of random weights, on disk before anything is timed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from envspec.models import synthetic


def make_in_new_cache() -> tuple[Path, Path]:
    """Let envspec have a new cache with the model in it; return the cache and the model's directory."""
    cache = Path(tempfile.mkdtemp(prefix="envspec-bench-"))
    os.environ["ENVSPEC_CACHE_DIR"] = str(cache)
    options = synthetic.Synthetic(architecture="qwen3")
    model = synthetic.cached_path(options, cache)
    synthetic.make(options, model)
    return cache, model
