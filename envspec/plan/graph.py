"""Cycles of services and who waits for whom, from `depends_on` alone."""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Mapping

Dependencies = Mapping[str, Iterable[str]]


def find_cycle(dependencies: Dependencies) -> list[str]:
    """Return a cycle named in full, its first name repeated at the end (`[a, b, a]`), or an empty list.

    Each name depends on the one after it.
    """
    try:
        graphlib.TopologicalSorter(dependencies).prepare()
    except graphlib.CycleError as error:
        return list(reversed(error.args[1]))
    return []


def find_cycles(dependencies: Dependencies) -> list[list[str]]:
    """Return cycles as `find_cycle` does, no name in two of them; without these names there is none left."""
    left = {name: list(needed) for name, needed in dependencies.items()}
    found = []
    while cycle := find_cycle(left):
        found.append(cycle)
        left = {name: [n for n in needed if n not in cycle] for name, needed in left.items() if name not in cycle}
    return found


def dependents(dependencies: Dependencies) -> dict[str, list[str]]:
    """Return for each name the names that directly wait for it."""
    waiting: dict[str, list[str]] = {name: [] for name in dependencies}
    for name, needed in dependencies.items():
        for other in needed:
            waiting.setdefault(other, []).append(name)
    return waiting
