"""Which commits envspec itself brought into the cache that all programs share: only those are its own to remove.

Beside the manifests of a repository, `COMMIT-KEY.claim` is written before the first byte comes, unless some of the
commit's files are there already. A manifest alone says no more than that somebody's files were verified.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from envspec.models.hub.cache import snapshot_of
from envspec.models.hub.options import Hub
from envspec.models.source import Host


class Claim(NamedTuple):
    """A commit that envspec downloaded. `files` are those that it verified, `notes` what it wrote down of them."""

    repo: str
    commit: str
    files: frozenset[str]
    notes: tuple[Path, ...]


def claim(options: Hub, commit: str, host: Host) -> None:
    """Note that envspec is about to download a commit, unless something of it is there."""
    if snapshot_of(options, commit, host).exists():
        return
    key = hashlib.sha256(str(host.hub_cache).encode()).hexdigest()[:12]
    path = _notes(host) / options.repo.replace("/", "--") / f"{commit}-{key}.claim"
    with suppress(OSError):  # what cannot be claimed is never removed
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"repo": options.repo, "commit": commit, "hub": str(host.hub_cache)}))


def claims(host: Host) -> Iterator[Claim]:
    """Yield every commit that envspec brought into this cache."""
    for path in sorted(_notes(host).glob("*/*.claim")):
        noted = _read(path)
        if noted.get("hub") != str(host.hub_cache):
            continue
        manifests = {file: _read(file) for file in path.parent.glob(f"{noted['commit']}-*.json")}
        ours = {file: read["files"] for file, read in manifests.items() if read.get("hub") == noted["hub"]}
        yield Claim(noted["repo"], noted["commit"], frozenset().union(*ours.values()), (*ours, path))


def _notes(host: Host) -> Path:
    return host.own_cache / "models" / "hub"


def _read(path: Path) -> dict[str, Any]:
    """Return a note, empty where it is none, or half of one."""
    try:
        return dict(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return {}
