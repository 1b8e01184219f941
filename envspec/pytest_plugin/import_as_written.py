"""Keeps envspec's own modules out of pytest's assertion rewriting.

pytest rewrites every module of a distribution that brings a plugin (https://docs.pytest.org/en/stable/how-to/
writing_plugins.html#assertion-rewriting). Nothing here asserts, so that would buy nothing, and it costs: each module is
parsed again where the compiled ones cannot be kept, and read without the ones that pip compiled where they can. Worse,
environments start in threads, and before 3.11.8 Python's parser fails now and then when two threads parse
(https://github.com/python/cpython/issues/106905): the other one is pytest's, which shows a failure.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

PACKAGE = f"{__name__.partition('.')[0]}."


class AsWritten:
    """Finds envspec's modules as if pytest were not there."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Answer for modules of this package alone."""
        return PathFinder.find_spec(name, path, target) if name.startswith(PACKAGE) else None


def import_as_written() -> None:
    """Import envspec's modules past pytest's rewriting from now on. May be called again."""
    if AsWritten not in sys.meta_path:
        sys.meta_path.insert(0, AsWritten)
