"""What is kept of each session of a run, for whoever looks for it when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from envspec.session.live import Handle


class SessionRecord(NamedTuple):
    """A session of this run. `seconds` is what its start took, None where it was up before or did not start.

    `secrets` must not be shown of what its services wrote.
    """

    id: str
    directory: Path
    environment: str
    seconds: float | None
    secrets: tuple[str, ...] = ()

    @classmethod
    def of(cls, handle: Handle) -> Self:
        """Return what is to be kept of a session that lives, or failed to."""
        status = handle.status()
        return cls(status.id, Path(status.dir), status.environment, status.seconds, handle.secrets())

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read one back that came from another process."""
        return cls(**{**data, "directory": Path(data["directory"]), "secrets": tuple(data["secrets"])})

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**self._asdict(), "directory": str(self.directory)}
