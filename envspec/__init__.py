"""envspec: declarative test environments for LLM inference stacks.

The public names are imported on first use (PEP 562): the agent runs this module too, with the standard library
alone and a start-up budget of milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envspec.errors import (
        BackendError,
        Diagnostic,
        EnvspecError,
        ResourceError,
        ServiceError,
        SpecError,
        UsageError,
    )
    from envspec.leases.free_port import find_free_port
    from envspec.resolve import check
    from envspec.session.live import Environment, Service
    from envspec.session.model_loader import ModelLoader
    from envspec.session.up import up

__version__ = "0.1.0"

__all__ = [
    "BackendError",
    "Diagnostic",
    "Environment",
    "EnvspecError",
    "ModelLoader",
    "ResourceError",
    "Service",
    "ServiceError",
    "SpecError",
    "UsageError",
    "check",
    "find_free_port",
    "up",
]

_HOME = {
    **dict.fromkeys(__all__, "envspec.errors"),
    "Environment": "envspec.session.live",
    "Service": "envspec.session.live",
    "ModelLoader": "envspec.session.model_loader",
    "check": "envspec.resolve",
    "find_free_port": "envspec.leases.free_port",
    "up": "envspec.session.up",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'envspec' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
