"""Whether a file is what the hub says that it is."""

from __future__ import annotations

import hashlib
from pathlib import Path

from envspec.models.hub.listing import RepoFile

MISSING = "is missing"
_BLOCK = 4 * 2**20  # bytes: large enough that hashing, which lets other threads run, is all that takes time


def fault_of(path: Path, file: RepoFile) -> str:
    """Return what is wrong with the file at `path` in a few words, empty if nothing is.

    Raises:
        OSError: it cannot be read.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return MISSING
    if size != file.size:
        return f"has {size:,} bytes where {file.size:,} belong"
    if file.sha256:
        digest, expected, kind = _digest(path, "sha256"), file.sha256, "SHA-256"
    elif file.git_sha1:
        digest, expected, kind = _digest(path, "sha1", f"blob {size}\0"), file.git_sha1, "git SHA-1"
    else:
        return ""
    return "" if digest == expected else f"has the {kind} {digest[:12]}… where {expected[:12]}… belongs"


def _digest(path: Path, algorithm: str, prefix: str = "") -> str:
    digest = hashlib.new(algorithm, prefix.encode(), usedforsecurity=False)
    block = memoryview(bytearray(_BLOCK))
    with path.open("rb", buffering=0) as source:
        while count := source.readinto(block):
            digest.update(block[:count])
    return digest.hexdigest()
