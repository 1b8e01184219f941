"""Which commits envspec itself brought into the cache that all programs share: only those are its own to remove.

Beside the manifests of a repository, `COMMIT-KEY.claim` is written before the first byte comes, unless some of the
commit's files are there already; it names what is set out for, so that a download that was killed can be told from one
of others. A manifest alone says no more than that somebody's files were verified.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from envspec.models.hub.cache import snapshot_of, write_at_once
from envspec.models.hub.listing import RepoFile
from envspec.models.hub.options import Hub
from envspec.models.source import Host


class Claim(NamedTuple):
    """A commit that envspec downloaded, or began to.

    `files` are those that it verified, `begun` those that it set out to get, each with the name of its content in the
    cache, `notes` what it wrote down of them.
    """

    repo: str
    commit: str
    files: frozenset[str]
    begun: Mapping[str, str]
    notes: tuple[Path, ...]


def claim(options: Hub, commit: str, host: Host, files: Iterable[RepoFile]) -> None:
    """Note that envspec is about to download these files of a commit, unless something of it is there by others."""
    key = hashlib.sha256(str(host.hub_cache).encode()).hexdigest()[:12]
    path = _notes(host) / options.repo.replace("/", "--") / f"{commit}-{key}.claim"
    noted = _read(path)
    if not noted and snapshot_of(options, commit, host).exists():
        return
    begun = {**_begun(noted), **{file.path: file.blob for file in files}}
    claimed = {"repo": options.repo, "commit": commit, "hub": str(host.hub_cache), "files": begun}
    if claimed != noted:
        with suppress(OSError):  # what cannot be claimed is never removed
            write_at_once(path, json.dumps(claimed))


def claims(host: Host) -> Iterator[Claim]:
    """Yield every commit that envspec brought into this cache."""
    for path in sorted(_notes(host).glob("*/*.claim")):
        if (found := _claim_in(path, host)) is not None:
            yield found


def renewed(known: Claim, host: Host) -> Claim | None:
    """Return a claim as it is noted now, None where it no longer is."""
    return _claim_in(known.notes[-1], host)


def _claim_in(path: Path, host: Host) -> Claim | None:
    noted = _read(path)
    if noted.get("hub") != str(host.hub_cache):
        return None
    manifests = {file: _read(file) for file in path.parent.glob(f"{noted['commit']}-*.json")}
    ours = {file: read["files"] for file, read in manifests.items() if read.get("hub") == noted["hub"]}
    verified: frozenset[str] = frozenset().union(*ours.values())
    wrong = [file for file in path.parent.glob(f"{noted['commit']}-*.faults") if _read(file).get("hub") == noted["hub"]]
    return Claim(noted["repo"], noted["commit"], verified, _begun(noted), (*ours, *wrong, path))


def _begun(noted: Mapping[str, Any]) -> dict[str, str]:
    return dict(noted.get("files") or {})


def _notes(host: Host) -> Path:
    return host.own_cache / "models" / "hub"


def _read(path: Path) -> dict[str, Any]:
    """Return a note, empty where it is none, or half of one."""
    try:
        return dict(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return {}
