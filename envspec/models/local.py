"""The source `path`: a directory of model files, or a single file, that is already on this machine."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from envspec.errors import ModelUnavailableError
from envspec.models.source import Found, Host, Tell
from envspec.record import Record

SHOWN = 5
"""Missing files that are named; a directory of the wrong kind lacks hundreds."""
_WANTED = "name a directory with config.json, a tokenizer and all weights, or one file of weights such as a .gguf"


class Local(Record):
    """Model files that are already on this machine."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    path: str
    """A directory with config.json and weights, or one file such as a GGUF; relative to the file that says so."""


class LocalSource:
    """Models at a path."""

    options = Local

    def find(self, options: Local, host: Host) -> Found:  # noqa: ARG002  the signature of a source
        """Look whether every file that an engine would miss is there, as far as can be seen."""
        from envspec.models.inventory import missing_files, pointers

        place = Path(options.path)
        with suppress(OSError):
            return Found(options.path, complete=not missing_files(place) and not pointers(place))
        return Found(options.path)

    def resolve(self, options: Local, host: Host, tell: Tell) -> Found:  # noqa: ARG002
        """Do as `find`: a path has no revisions."""
        return self.find(options, host)

    def fetch(self, options: Local, found: Found, host: Host, tell: Tell) -> Found:  # noqa: ARG002
        """Say what is missing; nobody but its owner can add it.

        Raises:
            ModelUnavailableError: it is not there, or not whole.
        """
        from envspec.models.inventory import missing_files, pointers

        try:
            missing, pointing = missing_files(Path(options.path)), pointers(Path(options.path))
        except OSError as error:
            raise ModelUnavailableError(
                f"the model at {options.path} cannot be read: {error.strerror or error}",
                hint="see who owns it and who may read it",
            ) from error
        if pointing:
            raise _only_pointers(Path(options.path), pointing)
        if missing:
            raise _not_whole(Path(options.path), missing)
        return self.find(options, host)


def _not_whole(place: Path, missing: list[str]) -> ModelUnavailableError:
    if not place.exists():
        missing_link = f", a link to {place.readlink()}, which is not there" if place.is_symlink() else ""
        return ModelUnavailableError(
            f"there is nothing at {place}{missing_link}",
            hint="put the model there, or correct `path`, which is relative to the file that says it",
        )
    if not place.is_dir():
        return ModelUnavailableError(f"{place} is no file of weights, nor a directory with a model", hint=_WANTED)
    return ModelUnavailableError(f"the model at {place} is not whole: {_some(missing)} missing", hint=_WANTED)


def _only_pointers(place: Path, names: list[str]) -> ModelUnavailableError:
    folder = place if place.is_dir() else place.parent
    return ModelUnavailableError(
        f"the model at {place} is not whole: of {_some(names)} there is no more than a pointer of Git LFS",
        hint=f"`git lfs pull` in {folder} gets the files themselves",
    )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"
