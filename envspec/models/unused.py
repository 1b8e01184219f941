"""What nobody refers to any more, and removing it: of envspec's own cache, and of what it brought into the hub's.

What other programs downloaded is never touched, nor is a commit to which they added files.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from envspec.models.hub.claims import Claim, claims
from envspec.models.hub.options import Hub
from envspec.models.source import Host
from envspec.models.store import size_of, stored
from envspec.models.synthetic.options import Synthetic


@dataclass(frozen=True)
class Unused:
    """Something that can be removed, and what that gives back in bytes."""

    what: str
    path: Path
    bytes: int
    claim: Claim | None = None


def unused(referred: Iterable[Any], host: Host) -> list[Unused]:
    """Return what no model of `referred`, which are options of sources, needs. The largest comes first."""
    needed = list(referred)
    found = [*_synthetic(needed, host), *_of_hub(needed, host)]
    return sorted(found, key=lambda one: one.bytes, reverse=True)


def remove(one: Unused, host: Host) -> None:
    """Remove it. Whoever is stopped in between leaves nothing that would be trusted.

    Raises:
        OSError: it cannot be removed.
    """
    if one.claim is None:
        doomed = Path(tempfile.mkdtemp(prefix=f".{one.path.name}.part-", dir=one.path.parent))
        shutil.rmtree(one.path.rename(doomed))  # gone at once, as half of it would be worse than none
        return
    *manifests, claim = one.claim.notes
    for manifest in manifests:
        manifest.unlink(missing_ok=True)
    _deletion(one.claim, host).execute()
    claim.unlink(missing_ok=True)


def _synthetic(referred: list[Any], host: Host) -> Iterator[Unused]:
    needed = {stored("synthetic", options, host).path for options in referred if isinstance(options, Synthetic)}
    for path in sorted((host.own_cache / "models" / "synthetic").glob("[!.]*")):
        if str(path) not in needed:
            yield Unused(f"synthetic {path.name}", path, size_of([path]))


def _of_hub(referred: list[Any], host: Host) -> Iterator[Unused]:
    needed = {(each.repo, stored("repo", each, host).commit) for each in referred if isinstance(each, Hub)}
    for claim in claims(host):
        folder = host.hub_cache / f"models--{claim.repo.replace('/', '--')}" / "snapshots" / claim.commit
        there = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
        if (claim.repo, claim.commit) not in needed and there and there <= claim.files:
            freed = _deletion(claim, host).expected_freed_size
            yield Unused(f"{claim.repo} at {claim.commit[:12]}", folder, freed, claim)


def _deletion(claim: Claim, host: Host) -> Any:
    """Return huggingface_hub's own plan for removing a commit: blobs that other commits share are kept."""
    # Imported here: whoever removes nothing of the hub need not wait for it.
    from huggingface_hub import scan_cache_dir

    cache = scan_cache_dir(host.hub_cache)
    # The same files make the same commit, also in another repository.
    repos = frozenset(repo for repo in cache.repos if repo.repo_id == claim.repo and repo.repo_type == "model")
    return replace(cache, repos=repos).delete_revisions(claim.commit)
