"""What nobody refers to any more, and removing it: of envspec's own cache, and of what it brought into the hub's.

What other programs downloaded is never touched, nor is a commit to which they added files; nor what a session uses or
another process gets at this moment. What killed downloads left goes with it, also of models that are referred to.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from envspec.models.hub.claims import Claim, claims, renewed
from envspec.models.hub.options import Hub
from envspec.models.hub.removal import Footprint, footprint, nobody_gets, remove_commit, remove_partial, repository
from envspec.models.lock import if_free
from envspec.models.source import Host
from envspec.models.staging import lock_beside, staged_for
from envspec.models.store import size_of, stored
from envspec.models.synthetic.options import Synthetic
from envspec.record import Record

Users = Mapping[str, str]
"""Who uses a model, as in "session local-k3f9a", by the real path of its files."""


class Unused(Record):
    """Something that can be removed, and what that gives back in bytes; of a claim's commit all, or what is partial."""

    what: str
    path: Path
    bytes: int
    claim: Claim | None = None
    only_partial: bool = False


class Kept(Record):
    """Something that no environment refers to, and why it is left alone."""

    what: str
    why: str


def unused(referred: Iterable[Any], host: Host, users: Users) -> tuple[list[Unused], list[Kept]]:
    """Return what no model of `referred`, which are options of sources, needs, the largest first; and what is kept.

    Raises:
        ModelUnavailableError: nothing can be locked.
    """
    needed = list(referred)
    found = [*_synthetic(needed, host, users), *_of_hub(needed, host, users)]
    removable = [one for one in found if isinstance(one, Unused)]
    kept = dict.fromkeys(one for one in found if isinstance(one, Kept))
    return sorted(removable, key=lambda one: one.bytes, reverse=True), list(kept)


def remove(one: Unused, host: Host, users: Users) -> str:
    """Remove it, unless somebody has come to need it since: then return who, else nothing.

    Whoever is stopped in between leaves nothing that would be trusted.

    Raises:
        OSError: it cannot be removed.
        ModelUnavailableError: it cannot be locked.
    """
    if user := users.get(os.path.realpath(one.path)):
        return f"{user} uses it"
    if one.claim is None:
        return _remove_synthetic(one)
    with nobody_gets(one.claim, host) as holder:
        claim = renewed(one.claim, host)
        taken = None if claim is None else footprint(claim, host)
        if holder or claim is None or taken is None or (taken.others and not one.only_partial):
            return f"{holder} gets it" if holder else "another program uses it"
        if one.only_partial:
            remove_partial(taken)
        else:
            remove_commit(claim, taken, host)
    return ""


def _synthetic(referred: list[Any], host: Host, users: Users) -> Iterator[Unused | Kept]:
    folder = host.own_cache / "models" / "synthetic"
    needed = {stored("synthetic", options, host).path for options in referred if isinstance(options, Synthetic)}
    made = [path for path in sorted(folder.glob("[!.]*")) if str(path) not in needed]
    begun = {path.with_name(path.name[1:].partition(".part-")[0]) for path in folder.glob(".*.part-*")}
    for path in (*made, *sorted(begun)):
        what = f"synthetic {path.name}"
        with _nobody_makes(path) as holder:
            if holder or (path in made and os.path.realpath(path) in users):
                yield Kept(what, f"{holder} makes it" if holder else f"{users[os.path.realpath(path)]} uses it")
                continue
            if path in made:
                yield Unused(what, path, size_of([path]))
            for part in staged_for(path):
                yield Unused(f"{what}, in part", part, size_of([part]))


def _of_hub(referred: list[Any], host: Host, users: Users) -> Iterator[Unused | Kept]:
    needed = {(each.repo, stored("repo", each, host).commit) for each in referred if isinstance(each, Hub)}
    for claim in claims(host):
        # Where nobody knows which commit is meant, it may be this one.
        is_needed = bool(needed & {(claim.repo, claim.commit), (claim.repo, "")})
        with nobody_gets(claim, host) as holder:
            taken = footprint(claim, host)
            what = f"{claim.repo} at {claim.commit[:12]}"
            user = users.get(os.path.realpath(taken.snapshot))
            if not is_needed and (holder or (user and taken.is_there)):
                yield Kept(claim.repo, f"{holder} gets it") if holder else Kept(what, f"{user} uses it")
            elif not holder:
                yield from _removable(what, claim, taken, repository(claim, host) / "blobs", whole=not is_needed)


def _removable(what: str, claim: Claim, taken: Footprint, blobs: Path, *, whole: bool) -> Iterator[Unused]:
    if whole and taken.is_there and not taken.others:
        yield Unused(what, taken.snapshot, taken.bytes, claim)
    elif taken.partial:
        yield Unused(f"{what}, in part", blobs, taken.partial_bytes, claim, only_partial=True)


def _remove_synthetic(one: Unused) -> str:
    name, _, part = one.path.name.removeprefix(".").partition(".part-")
    with _nobody_makes(one.path.with_name(name)) as holder:
        if holder:
            return f"{holder} makes it"
        doomed = one.path
        if not part:
            temporary = Path(tempfile.mkdtemp(prefix=f".{name}.part-", dir=one.path.parent))
            doomed = one.path.rename(temporary)  # gone at once, as half of it would be worse than none
        shutil.rmtree(doomed)
    return ""


@contextmanager
def _nobody_makes(path: Path) -> Iterator[str]:
    with if_free([lock_beside(path)]) as holder:
        yield holder
