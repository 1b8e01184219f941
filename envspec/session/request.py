"""What somebody asks for when a session is started."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from envspec.errors import UsageError


@dataclass(frozen=True)
class Request:
    """An environment file and how to run it.

    `sets` are overrides of vars, as on the command line; `environ` is the environment that services inherit and that
    templates see as `env`. `keep_on_failure` leaves what runs running when the start fails. `backend` is a name of
    `envspec.backends.table`. `detached` says that the session outlives who asked for it, and may be lent to others.
    """

    file: Path
    sets: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    keep_on_failure: bool = False
    backend: str = "local"
    detached: bool = False


def assignments(option: str, texts: Iterable[str]) -> dict[str, str]:
    """Read what `option`, as in `--set`, was given: `KEY=VALUE`, the last one of a key counts.

    Raises:
        UsageError: one has no `=`.
    """
    sets: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            message = f"{option} {text}: a value is missing"
            raise UsageError(message, hint=f"write it as {option} {text}=VALUE")
        sets[name] = value
    return sets
