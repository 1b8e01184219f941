"""Where models are kept. Apart from the rest, since most commands ask: whatever this imports, all of them pay for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

VARIABLES = ("ENVSPEC_CACHE_DIR", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME")
"""What chooses these places."""


def settled(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with places that no longer hang on the directory they are read in.

    Agents, detached sessions and services each have another one than the caller, who meant their own.
    """
    chosen = {name: value for name in VARIABLES if (value := environ.get(name)) and not os.path.isabs(value)}  # noqa: PTH117
    return {**environ, **{name: str(_expanded(value)) for name, value in chosen.items()}}


def own_cache(environ: Mapping[str, str]) -> Path:
    """Return envspec's cache: $ENVSPEC_CACHE_DIR, $XDG_CACHE_HOME/envspec or ~/.cache/envspec."""
    if chosen := environ.get("ENVSPEC_CACHE_DIR"):
        return _expanded(chosen).absolute()
    return _user_cache(environ) / "envspec"


def hub_home(environ: Mapping[str, str]) -> Path:
    """Return what huggingface_hub takes for HF_HOME (huggingface_hub.constants)."""
    if chosen := environ.get("HF_HOME"):
        return _expanded(chosen)
    return _user_cache(environ) / "huggingface"


def hub_cache(environ: Mapping[str, str]) -> Path:
    """Return the cache of huggingface_hub: HF_HUB_CACHE, its older name, or `hub` in HF_HOME."""
    chosen = environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE")
    return _expanded(chosen) if chosen else hub_home(environ) / "hub"


def _expanded(chosen: str) -> Path:
    """Return a path as huggingface_hub understands it: `~nobody`, where there is no such user, is a name like any."""
    return Path(os.path.expanduser(chosen)).absolute()  # noqa: PTH111  Path.expanduser raises there


def _user_cache(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME") or "~").expanduser() / ".cache").absolute()
