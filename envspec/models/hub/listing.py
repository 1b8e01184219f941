"""The files of a commit, with what each must be: as the hub lists them, or as the cache itself tells."""

from __future__ import annotations

import json
from pathlib import Path

from envspec.models.hub.options import COMMIT
from envspec.record import Record

_SHA256_DIGITS = 64


class RepoFile(Record):
    """A file of a repository: its size in bytes and its digest, SHA-256 of large files, git's SHA-1 of the others."""

    path: str
    size: int
    sha256: str = ""
    git_sha1: str = ""

    @property
    def blob(self) -> str:
        """The name of its content in the cache of huggingface_hub."""
        return self.sha256 or self.git_sha1


def cached_listing(repo_folder: Path, commit: str) -> tuple[RepoFile, ...] | None:
    """Return the listing that huggingface_hub keeps in trees/COMMIT.json, None if there is none.

    A commit's files never change, so neither does the listing.
    """
    try:
        tree = json.loads((repo_folder / "trees" / f"{commit}.json").read_bytes())
        if tree["format_version"] != 1:
            return None
        return tuple(_of_tree(path, entry) for path, entry in tree["files"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def listing_of_blobs(snapshot: Path) -> tuple[RepoFile, ...]:
    """Return what lies in a snapshot, judged by the names of the blobs, which are their digests.

    It is all there is to go by without a hub and without its listing. What is missing altogether does not show.
    """
    files = (path for path in sorted(snapshot.rglob("*")) if path.is_file())
    return tuple(_of_blob(str(path.relative_to(snapshot)), path) for path in files)


def _of_tree(path: str, entry: dict[str, str]) -> RepoFile:
    if sha256 := entry.get("lfs_sha256"):
        return RepoFile(path, int(entry.get("lfs_size") or entry["size"]), sha256=sha256)
    return RepoFile(path, int(entry["size"]), git_sha1=entry["blob_id"])


def _of_blob(name: str, path: Path) -> RepoFile:
    size, blob = path.stat().st_size, path.readlink().name if path.is_symlink() else ""
    if len(blob) == _SHA256_DIGITS:
        return RepoFile(name, size, sha256=blob)
    return RepoFile(name, size, git_sha1=blob if COMMIT.fullmatch(blob) else "")
