"""What a commit takes in the cache that all programs share, and removing it: what other commits share is kept."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from envspec.models.hub.cache import lock_folders, lock_name
from envspec.models.hub.claims import Claim
from envspec.models.hub.leftovers import digest_of, is_left, remove_if_left
from envspec.models.lock import if_free
from envspec.models.source import Host


class Footprint(NamedTuple):
    """What would go with a commit: the directory of its files, their contents, and what killed downloads left.

    `others` says that it is not envspec's alone: other programs added files, or write some at this moment.
    """

    snapshot: Path
    blobs: tuple[Path, ...]
    partial: tuple[Path, ...]
    others: bool

    @property
    def bytes(self) -> int:
        """What removing all of it gives back."""
        own = (file for file in _files(self.snapshot) if not file.is_symlink())
        return sum(_size(file) for file in (*own, *self.blobs)) + self.partial_bytes

    @property
    def partial_bytes(self) -> int:
        """What removing the partial files alone gives back."""
        return sum(map(_size, self.partial))

    @property
    def is_there(self) -> bool:
        """Whether there is anything: a link into nowhere is."""
        return bool(self.blobs or self.partial or _files(self.snapshot))


def footprint(claim: Claim, host: Host) -> Footprint:
    """Look at what there is of a commit."""
    repo = repository(claim, host)
    snapshot = repo / "snapshots" / claim.commit
    names = {str(file.relative_to(snapshot)) for file in _files(snapshot)}
    contents = set(claim.begun.values()) - {""}
    shared = {name for each in (repo / "snapshots").glob("*") if each != snapshot for name in _contents(each)}
    blobs = [repo / "blobs" / name for name in sorted((_contents(snapshot) | contents) - shared)]
    partial = [file for file in sorted((repo / "blobs").glob("*.incomplete")) if digest_of(file) in contents]
    left = [file for file in partial if is_left(file)]
    # What was verified was whole; what was never verified, and is not whole, is what a killed download left.
    ours = names <= claim.files or names < claim.begun.keys()
    return Footprint(
        snapshot, tuple(blob for blob in blobs if blob.exists()), tuple(left), not ours or len(left) < len(partial)
    )


def repository(claim: Claim, host: Host) -> Path:
    """Return the directory of a claim's repository in the cache of huggingface_hub."""
    return host.hub_cache / f"models--{claim.repo.replace('/', '--')}"


@contextmanager
def nobody_gets(claim: Claim, host: Host) -> Iterator[str]:
    """Let no other envspec get a model of a repository within the block, unless one does: then yield who does.

    All commits are locked, as they share contents: those of another one may be about to be linked.

    Raises:
        ModelUnavailableError: nothing can be locked.
    """
    pattern = re.compile(re.escape(lock_name(claim.repo, "COMMIT")).replace("COMMIT", "[0-9a-f]{40}"))
    there = {file.name for folder in lock_folders(host) for file in folder.glob("*.lock")}
    names = {lock_name(claim.repo, claim.commit), *filter(pattern.fullmatch, there)}
    with ExitStack() as locks:
        holders = (locks.enter_context(if_free([at / name for at in lock_folders(host)])) for name in sorted(names))
        yield next(filter(None, holders), "")


def remove_commit(claim: Claim, taken: Footprint, host: Host) -> None:
    """Remove it. Whoever is stopped in between leaves nothing that would be trusted, and the claim to go on with.

    Raises:
        OSError: it cannot be removed.
    """
    *manifests, noted = claim.notes
    for manifest in manifests:
        manifest.unlink(missing_ok=True)
    repo = repository(claim, host)
    for folder in (taken.snapshot, repo / ".no_exist" / claim.commit):
        if folder.exists():
            shutil.rmtree(folder)
    for blob in taken.blobs:
        blob.unlink(missing_ok=True)
    remove_partial(taken)
    for reference in _files(repo / "refs"):
        if reference.read_bytes().strip() == claim.commit.encode():
            reference.unlink()
    (repo / "trees" / f"{claim.commit}.json").unlink(missing_ok=True)
    noted.unlink(missing_ok=True)
    for directory in (repo, noted.parent):
        _remove_empty(directory)


def remove_partial(taken: Footprint) -> None:
    """Remove what killed downloads left of it."""
    for partial in taken.partial:
        remove_if_left(partial)


def _contents(snapshot: Path) -> set[str]:
    """Return the names of the contents that a commit's files are links to, also of those that are gone."""
    return {file.readlink().name for file in _files(snapshot) if file.is_symlink()}


def _files(folder: Path) -> list[Path]:
    """Return all that is no directory; a link into nowhere counts."""
    return [Path(place, name) for place, _, names in os.walk(folder) for name in names]


def _size(file: Path) -> int:
    with suppress(OSError):
        return file.stat().st_size
    return 0


def _remove_empty(folder: Path) -> None:
    for place, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):  # something is in it
            Path(place).rmdir()
