"""Start order, stop order and cycles of services, from `depends_on` alone."""

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


def start_waves(dependencies: Dependencies) -> list[list[str]]:
    """Return names in waves: those of a wave need nothing but earlier waves, and may start together.

    Raises:
        graphlib.CycleError: there is no order; `find_cycle` names why.
    """
    sorter = graphlib.TopologicalSorter(dependencies)
    sorter.prepare()
    waves = []
    while sorter.is_active():
        wave = list(sorter.get_ready())
        waves.append(wave)
        sorter.done(*wave)
    return waves


def stop_waves(dependencies: Dependencies) -> list[list[str]]:
    """Return the reverse: whoever is in a wave is needed by nobody but earlier waves."""
    return [list(reversed(wave)) for wave in reversed(start_waves(dependencies))]


def dependents(dependencies: Dependencies) -> dict[str, list[str]]:
    """Return for each name the names that directly wait for it."""
    waiting: dict[str, list[str]] = {name: [] for name in dependencies}
    for name, needed in dependencies.items():
        for other in needed:
            waiting.setdefault(other, []).append(name)
    return waiting
