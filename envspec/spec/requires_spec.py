"""What the host must have."""

from __future__ import annotations

from typing import Literal

from envspec.spec.base import Spec
from envspec.units import ByteSize


class RequiresSpec(Spec):
    """What the host must have before anything is started; unmet, the command exits 3 and names what is missing."""

    os: list[Literal["linux", "macos"]] = []
    """Operating systems on which this can run; empty for any."""
    commands: list[str] = []
    """Programs that must be found on PATH, or beside the Python that runs envspec."""
    modules: list[str] = []
    """Python modules that must be importable."""
    env: list[str] = []
    """Variables of the caller's environment that must be set: `[HF_TOKEN]`."""
    memory: ByteSize | None = None
    """Memory that must be available: `8GiB`."""
    disk: ByteSize | None = None
    """Free space that the state directory must have: `2GiB`."""
