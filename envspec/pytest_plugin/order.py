"""The order of tests: those that need no environment first, then one environment after the other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TypeVar

from envspec.pytest_plugin.wanted import Groups, Wanted

Item = TypeVar("Item")


def grouped(items: Sequence[tuple[Item, tuple[Wanted, ...]]]) -> list[Item]:
    """Return the items by what they want, in the order of first appearance; within a group, as they were."""
    places: dict[tuple[Wanted, ...], int] = {(): -1}
    for _, wanted in items:
        places.setdefault(wanted, len(places))
    return [item for item, _ in sorted(items, key=lambda pair: places[pair[1]])]


def is_grouped(groups: Groups) -> bool:
    """Tell whether the tests of each group come one after the other."""
    runs = [wanted for wanted, _ in groupby(filter(None, groups.values()))]
    return len(runs) == len(set(runs))
