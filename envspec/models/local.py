"""The source `path`: a directory of model files, or a single file, that is already on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from envspec.errors import ModelUnavailableError
from envspec.models.source import Found, Host, Tell


@dataclass(frozen=True, kw_only=True)
class Local:
    """Model files that are already on this machine."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "use_attribute_docstrings": True}

    path: str
    """A directory with config.json and weights, or one file such as a GGUF; relative to the file that says so."""


class LocalSource:
    """Models at a path."""

    options = Local

    def find(self, options: Local, host: Host) -> Found:  # noqa: ARG002  the signature of a source
        """Look whether every file that an engine would miss is there."""
        from envspec.models.inventory import missing_files

        return Found(options.path, complete=not missing_files(Path(options.path)))

    def resolve(self, options: Local, host: Host, tell: Tell) -> Found:  # noqa: ARG002
        """Do as `find`: a path has no revisions."""
        return self.find(options, host)

    def fetch(self, options: Local, found: Found, host: Host, tell: Tell) -> Found:  # noqa: ARG002
        """Say what is missing; nobody but its owner can add it.

        Raises:
            ModelUnavailableError: it is not there, or not whole.
        """
        from envspec.models.inventory import missing_files

        missing = missing_files(Path(options.path))
        if not missing:
            return self.find(options, host)
        raise ModelUnavailableError(
            f"the model at {options.path} is not whole: {', '.join(missing[:5])} missing",
            hint="name a directory with config.json, a tokenizer and all weights, or one .gguf file",
        )
