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
