"""What the host must have."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from envspec.spec.base import Spec
from envspec.units import ByteSize


class RequiresSpec(Spec):
    """What the host must have before anything is started; unmet, the command exits 3 and names what is missing."""

    os: list[Literal["linux", "macos"]] = Field(default=[])
    """Operating systems on which this can run; empty for any."""
    commands: list[str] = Field(default=[])
    """Programs that must be found on PATH, or beside the Python that runs envspec."""
    modules: list[str] = Field(default=[])
    """Python modules that must be importable."""
    env: list[str] = Field(default=[])
    """Variables of the caller's environment that must be set: `[HF_TOKEN]`."""
    memory: ByteSize | None = None
    """Memory that must be available: `8GiB`."""
    disk: ByteSize | None = None
    """Free space that the state directory must have: `2GiB`."""
