"""What somebody asks for when a session is started."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path

from envspec.errors import UsageError
from envspec.models.places import settled
from envspec.record import Record
from envspec.session.state import with_settled_state

OF_PYTEST = ("PYTEST_CURRENT_TEST", "PYTEST_VERSION")


class Request(Record):
    """An environment file and how to run it.

    `sets` are overrides of vars, as on the command line; `environ` is the environment that services inherit and that
    templates see as `env`. Places that it names by relative paths are those of whoever asks, from where it asks.
    `keep_on_failure` leaves what runs running when the start fails. `backend` is a name of `envspec.backends.table`.
    `detached` says that the session outlives who asked for it, and may be lent to others.
    """

    file: Path
    sets: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    keep_on_failure: bool = False
    backend: str = "local"
    detached: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "environ", with_settled_state(settled(self.environ)))


def environ_of_tests() -> dict[str, str]:
    """Return our variables without those that pytest sets by the moment: services would keep them for ever.

    So, too, an environment is the same at whatever moment of a run it is asked for, and in a shell without pytest.
    """
    return {name: value for name, value in os.environ.items() if name not in OF_PYTEST}


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
