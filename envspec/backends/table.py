"""Every backend by the name that `--backend` takes."""

from __future__ import annotations

from collections.abc import Callable

from envspec.backends.base import Backend
from envspec.backends.local import LocalBackend

BACKENDS: dict[str, Callable[[], Backend]] = {
    "local": LocalBackend,
}
