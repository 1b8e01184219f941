"""Which environment a test wants, and whether it shares it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Wanted(NamedTuple):
    """An environment, and who has it: `instance` is empty for the one of the whole run, else a module's or a test's id.

    `name` is the environment as it was named first: by its name or its path.
    """

    name: str
    instance: str = ""

    def __str__(self) -> str:
        return f"{self.name} of {self.instance}" if self.instance else self.name

    def __repr__(self) -> str:
        return str(self)  # what pytest's --setup-show says


Groups = Mapping[str, tuple[Wanted, ...]]
"""What each test wants, by nodeid, in the order in which the tests will run; those that want nothing have ()."""
