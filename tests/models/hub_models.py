"""Repositories for the hub of the tests, made on the spot: config, tokenizer and random weights of a given size."""

from __future__ import annotations

import json
import random
from pathlib import Path

MB = 10**6


def write_model(root: Path, repo: str, megabytes: float = 0.3, *, parts: int = 1, seed: int = 0) -> Path:
    """Write a model with so many MB of weights in so many parts."""
    folder = root / repo
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"architectures": ["Qwen3ForCausalLM"], "name": repo}))
    (folder / "tokenizer.json").write_text(json.dumps({"version": "1.0", "repo": repo}))
    (folder / "README.md").write_text(f"# {repo}\n")
    names = ["model.safetensors"]
    if parts > 1:
        names = [f"model-{part:05}-of-{parts:05}.safetensors" for part in range(1, parts + 1)]
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {n: n for n in names}}))
    for part, name in enumerate(names):
        write_random(folder / name, int(megabytes * MB / parts), f"{repo} {seed} {part}")
    return folder


def write_random(path: Path, size: int, seed: str) -> None:
    """Write bytes that are the same for the same seed. A block repeats, numbered: as fast as the disk."""
    source = random.Random(seed)
    block = source.randbytes(min(size, 2**20))
    with path.open("wb") as file:
        for number in range(size // len(block) if block else 0):
            file.write(number.to_bytes(8, "big") + block[8:])
        file.write(block[: size % len(block)] if block else b"")


def digest_of(folder: Path) -> dict[str, bytes]:
    """Return the content of every file, for comparison."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
