"""envspec: declarative test environments for LLM inference stacks.

The public names are imported on first use (PEP 562): the agent runs this module too, with the standard library
alone and a start-up budget of milliseconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envspec.errors import EnvspecError, ResourceError, ServiceError, SpecError

__version__ = "0.1.0"

_HOME = {
    "EnvspecError": "envspec.errors",
    "SpecError": "envspec.errors",
    "ResourceError": "envspec.errors",
    "ServiceError": "envspec.errors",
}

__all__ = ["EnvspecError", "ResourceError", "ServiceError", "SpecError"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        message = f"module 'envspec' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
