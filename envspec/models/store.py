"""What of the models is on this machine, told without a request: for those who ask, not for those who start."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from envspec.models import SOURCES
from envspec.models.hub.options import Hub
from envspec.models.source import Host
from envspec.record import Record

State = Literal["cached", "unverified", "damaged", "partial", "missing"]
"""`unverified`: all files seem to be there, yet envspec has not looked into them. `damaged`: one has not the size that
it should have, or was found wrong when it was read. `partial`: some are there."""


class Stored(Record):
    """What is here of a model. `path` and `commit` are empty where only the hub could tell them.

    `bytes` is what its files take here, None where there are none.
    """

    state: State
    path: str = ""
    commit: str = ""
    bytes: int | None = None

    @property
    def is_cached(self) -> bool:
        """Whether a session could begin without a download, as far as can be told."""
        return self.state in ("cached", "unverified")


def stored(source: str, options: Any, host: Host) -> Stored:
    """Look for a model; `options` is the dataclass that its source takes."""
    if isinstance(options, Hub):
        return _of_hub(options, host)
    found = SOURCES[source].find(options, host)
    size = size_of([Path(found.path)])
    state: State = "cached" if found.complete else "partial" if size else "missing"
    return Stored(state, found.path, bytes=size if found.complete or size else None)


def size_of(paths: Iterable[Path]) -> int:
    """Return the bytes of files and of all that is in directories, links followed; what is not there has none."""
    files = (file for path in paths for file in (path.rglob("*") if path.is_dir() else (path,)))
    return sum(file.stat().st_size for file in files if file.is_file())


def _of_hub(options: Hub, host: Host) -> Stored:
    from envspec.models.hub.cache import cached_commit, is_known_wrong, located, repo_folder
    from envspec.models.hub.listing import cached_listing
    from envspec.models.hub.selection import selected
    from envspec.models.inventory import missing_files

    commit = options.revision if options.is_pinned else cached_commit(options, host)
    if not commit:
        return Stored("missing")
    found = located(options, commit, host)
    folder = Path(found.path)
    here = {str(file.relative_to(folder)): file for file in folder.rglob("*") if file.is_file()}
    names = selected(here, options)
    files = [here[name] for name in names]
    if not files:
        return Stored("missing", found.path, commit)
    listing = cached_listing(repo_folder(options, host), commit)
    if listing is not None:
        is_whole = set(selected((file.path for file in listing), options)) <= here.keys()
    else:
        is_whole = bool(options.include) or not missing_files(folder, weights=not options.tokenizer_only)
    sizes = {file.path: file.size for file in listing or () if file.path in names}
    state: State = "cached" if found.complete else "unverified" if is_whole else "partial"
    if not found.complete and is_known_wrong(options, commit, host, sizes):
        state = "damaged"
    return Stored(state, found.path, commit, size_of(files))
