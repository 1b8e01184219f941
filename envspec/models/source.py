"""What a source of models is: who puts a model's files on this machine, and what is heard of it meanwhile.

Named tuples, not dataclasses: agents import this before anything starts, and each dataclass takes half a millisecond.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from envspec.models.places import hub_cache, own_cache


class Host(NamedTuple):
    """This machine's model caches, and the environment of whoever asks (tokens, HF_ENDPOINT, HF_HUB_OFFLINE).

    `own_cache` is envspec's, `hub_cache` the one that huggingface_hub shares with everything else on the machine.
    `asked` is what the network has told those who share this host, and what it is being asked: a branch is at one
    commit for all of them.
    """

    own_cache: Path
    hub_cache: Path
    environ: Mapping[str, str]
    asked: dict[Any, Any]

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Host:
        """Return the caches that these variables choose."""
        return cls(own_cache(environ), hub_cache(environ), environ, {})


class Found(NamedTuple):
    """Where a model is or will be. `path` is empty as long as it hangs on a commit that only the hub knows.

    `commit` is the revision that was resolved, empty for sources that have none. `complete` says that every file is
    there, with the size that it should have.
    """

    path: str = ""
    commit: str = ""
    complete: bool = False


class Progress(NamedTuple):
    """Bytes that are here, of `total` (None while nobody knows); `kept` of them were here before."""

    done: int
    total: int | None
    kept: int = 0


class Waiting(NamedTuple):
    """Another process gets the same model; `holder` names it, as in "pid 4711 (pytest -n 8)"."""

    holder: str


class Retrying(NamedTuple):
    """An attempt failed for a reason that may pass; the next one, number `attempt`, comes in `seconds`.

    Where that is 0, `reason` says by itself what is done at once, which may be something else.
    """

    reason: str
    seconds: float
    attempt: int


Notice = Progress | Waiting | Retrying
Tell = Callable[[Notice], None]
"""Hears what happens during `resolve` and `fetch`, from any thread."""


class Source(Protocol):
    """One way to get a model. `options` is the dataclass of what the file says of it."""

    @property
    def options(self) -> type[Any]:
        """The dataclass that the keys of the file are read into; pydantic reads its fields and docstrings."""

    def find(self, options: Any, host: Host) -> Found:
        """Look on this machine alone: the standard library, no request, at most a millisecond or so."""

    def resolve(self, options: Any, host: Host, tell: Tell) -> Found:
        """Do as `find`, and ask the network for what only it knows: which commit a branch is at.

        Raises:
            UsageError: a variable of the caller is wrong.
            ModelUnavailableError: it cannot be told, and no earlier answer is cached.
        """

    def fetch(self, options: Any, found: Found, host: Host, tell: Tell) -> Found:
        """Get all files of what `resolve` gave, verified; one process does it while others that ask wait.

        Raises:
            UsageError: a variable of the caller is wrong.
            ModelUnavailableError: they cannot be had; says why in a sentence, and what to do.
        """
