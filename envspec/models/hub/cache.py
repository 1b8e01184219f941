"""What is on this machine already, told in a millisecond: the standard library, a few stats, no request.

Files lie where huggingface_hub puts them, so that every program shares them:

    models--org--name/refs/main                → the commit that main was at
    models--org--name/snapshots/COMMIT/FILE    → a link into models--org--name/blobs

That a file is there does not say that it is whole. So envspec keeps a manifest of each selection that it has verified,
in its own cache; a model is complete when every file of the manifest has the size and the time that it had then.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from envspec.models.hub.listing import RepoFile
from envspec.models.hub.options import COMMIT, Hub
from envspec.models.hub.selection import selection_key
from envspec.models.source import Found, Host

_FORMAT = 1
_TRUE = ("1", "ON", "YES", "TRUE")  # huggingface_hub.constants


def find(options: Hub, host: Host) -> Found:
    """Look for a model. A branch that only the hub can resolve is nowhere yet, unless the hub must not be asked."""
    if options.is_pinned:
        return located(options, options.revision, host)
    commit = cached_commit(options, host) if is_offline(host) else ""
    return located(options, commit, host) if commit else Found()


def located(options: Hub, commit: str, host: Host) -> Found:
    """Tell where the files of a commit lie or will lie, and whether all are there as they were when verified."""
    folder = str(snapshot_of(options, commit, host))
    return Found(folder, commit, complete=_is_as_verified(folder, manifest_path(options, commit, host)))


def is_offline(host: Host) -> bool:
    """Tell whether HF_HUB_OFFLINE, or its older name, forbids requests."""
    chosen = host.environ.get("HF_HUB_OFFLINE") or host.environ.get("TRANSFORMERS_OFFLINE") or ""
    return chosen.upper() in _TRUE


def repo_folder(options: Hub, host: Host) -> Path:
    """Return the repository's directory in the cache of huggingface_hub."""
    return host.hub_cache / f"models--{options.repo.replace('/', '--')}"


def snapshot_of(options: Hub, commit: str, host: Host) -> Path:
    """Return the directory that holds the files of a commit under their own names."""
    return host.hub_cache / f"models--{options.repo.replace('/', '--')}/snapshots/{commit}"


def lock_folders(host: Host) -> list[Path]:
    """Return where downloads lock: beside the files, so that all users of a cache share it, else in our own cache."""
    return [host.hub_cache / ".locks" / "envspec", host.own_cache / "models" / "locks"]


def lock_name(repo: str, commit: str) -> str:
    """Return what the lock on a commit is called."""
    return f"{repo.replace('/', '--')}-{commit}.lock"


def cached_commit(options: Hub, host: Host) -> str:
    """Return the commit that a branch was at when it was last fetched, by whomever; empty if it never was."""
    with suppress(OSError, ValueError):
        text = (repo_folder(options, host) / "refs" / options.revision).read_text("ascii").strip()
        if COMMIT.fullmatch(text):
            return text
    return ""


def remember_commit(options: Hub, commit: str, host: Host) -> None:
    """Note which commit a branch is at, for times without a hub. Only of complete models: they are relied on."""
    if options.is_pinned or cached_commit(options, host) == commit:
        return
    with suppress(OSError):  # a cache that cannot be written still serves what it has
        write_at_once(repo_folder(options, host) / "refs" / options.revision, commit)


def manifest_path(options: Hub, commit: str, host: Host) -> Path:
    """Return where the manifest of a selection lies."""
    key = selection_key(options, host.hub_cache)
    return host.own_cache / f"models/hub/{options.repo.replace('/', '--')}/{commit}-{key}.json"


def write_manifest(options: Hub, commit: str, host: Host, files: Iterable[RepoFile]) -> None:
    """Note that these files have been verified. Where that cannot be written, they will be verified again."""
    folder = snapshot_of(options, commit, host)
    entries = {}
    for file in files:
        status = (folder / file.path).stat()
        digests = {"sha256": file.sha256, "git_sha1": file.git_sha1}
        entries[file.path] = {"size": status.st_size, "mtime_ns": status.st_mtime_ns, **digests}
    manifest = {"format": _FORMAT, "repo": options.repo, "commit": commit, "hub": str(host.hub_cache), "files": entries}
    with suppress(OSError):
        write_at_once(manifest_path(options, commit, host), json.dumps(manifest))
        faults_path(options, commit, host).unlink(missing_ok=True)


def verified_listing(options: Hub, commit: str, host: Host) -> tuple[RepoFile, ...] | None:
    """Return the files of a manifest, whose bytes can be verified again; None where there is none, or no digests in it.

    So files whose times have changed, as those of a cache that was copied or restored, need no hub.
    """
    noted = _noted(manifest_path(options, commit, host)).items()
    with suppress(KeyError, TypeError):
        files = [RepoFile(path, entry["size"], entry["sha256"], entry["git_sha1"]) for path, entry in noted]
        return tuple(files) if files and all(file.blob for file in files) else None
    return None


def faults_path(options: Hub, commit: str, host: Host) -> Path:
    """Return where it is noted which files of a selection were found wrong."""
    return manifest_path(options, commit, host).with_suffix(".faults")


def note_faults(options: Hub, commit: str, host: Host, wrong: Iterable[str]) -> None:
    """Note that these files are wrong as they are, and that a manifest which says otherwise counts no more."""
    folder, entries = snapshot_of(options, commit, host), {}
    for path in wrong:
        with suppress(OSError):  # what is not there needs no note
            status = (folder / path).stat()
            entries[path] = {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
    manifest_path(options, commit, host).unlink(missing_ok=True)
    with suppress(OSError):
        write_at_once(faults_path(options, commit, host), json.dumps({"hub": str(host.hub_cache), "files": entries}))


def is_known_wrong(options: Hub, commit: str, host: Host, sizes: Mapping[str, int]) -> bool:
    """Tell whether a file has not the size that was verified or is in `sizes`, or is as it was when found wrong."""
    folder = snapshot_of(options, commit, host)
    verified = _noted(manifest_path(options, commit, host))
    expected = {**sizes, **{path: entry["size"] for path, entry in verified.items()}}
    wrong = _noted(faults_path(options, commit, host))
    return any(_is(f"{folder}/{path}", entry) for path, entry in wrong.items()) or any(
        not _is(f"{folder}/{path}", {"size": size}, otherwise=True) for path, size in expected.items()
    )


def _noted(path: Path) -> dict[str, dict[str, Any]]:
    try:
        return dict(json.loads(path.read_bytes())["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _is(path: str, entry: Mapping[str, int], *, otherwise: bool = False) -> bool:
    """Tell whether a file is as noted; `otherwise` where there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116  as below
    except OSError:
        return otherwise
    return all(getattr(status, f"st_{name}") == entry[name] for name in ("size", "mtime_ns") if name in entry)


def _is_as_verified(folder: str, manifest: Path) -> bool:
    try:
        with open(manifest, encoding="utf-8") as file:  # noqa: PTH123  as below
            noted = json.loads(file.read())
        return noted["format"] == _FORMAT and all(
            _is_unchanged(f"{folder}/{path}", entry) for path, entry in noted["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _is_unchanged(path: str, entry: dict[str, int]) -> bool:
    status = os.stat(path)  # noqa: PTH116  a Path for each file would be half of the time that this takes
    return status.st_size == entry["size"] and status.st_mtime_ns == entry["mtime_ns"]


def write_at_once(path: Path, text: str) -> None:
    """Write a file at once, so that nobody reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, staged = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(staged).chmod(0o644)  # mkstemp makes it private, yet the cache may be shared
        Path(staged).replace(path)
    except BaseException:
        Path(staged).unlink(missing_ok=True)
        raise
