"""What somebody asks for when a session is started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """An environment file and how to run it.

    `sets` are overrides of vars, as on the command line; `environ` is the environment that services inherit and that
    templates see as `env`. `keep_on_failure` leaves what runs running when the start fails. `backend` is a name of
    `envspec.backends.table`.
    """

    file: Path
    sets: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    keep_on_failure: bool = False
    backend: str = "local"
