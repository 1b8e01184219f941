"""Whether the files of a model are still what they were: every byte read again, nothing asked of the hub.

What is found wrong is no longer trusted: the next fetch gets or makes it again.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from envspec.models.hub.options import Hub
from envspec.models.local import Local
from envspec.models.source import Host
from envspec.models.store import Stored, size_of, stored
from envspec.models.synthetic.options import Synthetic
from envspec.record import Record

READERS = 4
"""Files that are read side by side: more than a disk gains by, and about as many as hashing keeps cores busy."""


class Audit(Record):
    """What came of it: how many files and bytes were read, and a sentence for each fault, such as a file's name."""

    files: int
    bytes: int
    faults: tuple[str, ...] = ()


def audit(source: str, options: Any, host: Host) -> Audit:
    """Read a model's files again. A model that is not here is at fault, too."""
    here = stored(source, options, host)
    if here.state == "missing":
        return Audit(0, 0, (_absent(source, here),))
    return _AUDITS[type(options)](options, here, host)


def _absent(source: str, here: Stored) -> str:
    return f"there is nothing at {here.path}" if source == "path" else "it is not in the cache"


def _of_hub(options: Hub, here: Stored, host: Host) -> Audit:
    from envspec.models.hub.cache import manifest_path, note_faults, repo_folder
    from envspec.models.hub.listing import RepoFile, cached_listing, listing_of_blobs
    from envspec.models.hub.selection import selected
    from envspec.models.hub.verify import fault_of

    folder, manifest = Path(here.path), manifest_path(options, here.commit, host)
    # What the files are called by, which are digests; then what was noted of them; then what the hub said.
    known = {file.path: file for file in listing_of_blobs(folder)}
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        for path, entry in json.loads(manifest.read_bytes())["files"].items():
            blob = known.get(path, RepoFile(path, 0))
            known[path] = RepoFile(path, entry["size"], entry["sha256"] or blob.sha256, blob.git_sha1)
    known |= {file.path: file for file in cached_listing(repo_folder(options, host), here.commit) or ()}
    files = [known[path] for path in selected(known, options)]
    with ThreadPoolExecutor(READERS) as pool:
        said = list(pool.map(lambda file: fault_of(folder / file.path, file), files))
    wrong = {file.path: fault for file, fault in zip(files, said, strict=True) if fault}
    if wrong:
        note_faults(options, here.commit, host, wrong)
    faults = tuple(f"{path} {fault}" for path, fault in wrong.items())
    return Audit(len(files), sum(file.size for file in files), faults)


def _of_path(options: Local, here: Stored, _host: Host) -> Audit:
    from envspec.models.inventory import missing_files, pointers

    place = Path(options.path)
    count = sum(file.is_file() for file in place.rglob("*")) if place.is_dir() else 1
    pointing = (f"{name} is a pointer of Git LFS; `git lfs pull` gets the file itself" for name in pointers(place))
    return Audit(count, here.bytes or 0, (*(f"{name} is missing" for name in missing_files(place)), *pointing))


def _of_synthetic(options: Synthetic, here: Stored, _host: Host) -> Audit:
    """Make it again beside itself, and compare: the same options are the same bytes."""
    from envspec.models.synthetic import make

    folder = Path(here.path)
    with tempfile.TemporaryDirectory(prefix="envspec-verify-") as temporary:
        fresh = Path(temporary) / "model"
        make(options, fresh)
        files = sorted(fresh.iterdir())
        faults = tuple(fault for file in files if (fault := _difference(folder / file.name, file)))
        size = size_of([fresh])
    if faults:
        shutil.rmtree(folder)
    return Audit(len(files), size, faults)


def _difference(file: Path, expected: Path) -> str:
    if not file.is_file():
        return f"{file.name} is missing"
    return "" if file.read_bytes() == expected.read_bytes() else f"{file.name} is not what these options make"


_AUDITS: dict[type, Callable[[Any, Stored, Host], Audit]] = {Hub: _of_hub, Local: _of_path, Synthetic: _of_synthetic}
