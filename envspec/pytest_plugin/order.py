"""The order of tests: those that need no environment first, then one environment after the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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


def may_be_up(unfinished: Iterable[tuple[Wanted, ...]], most: int) -> list[Wanted]:
    """Return which environments may be up, the first `most` of those that unfinished tests want, in their order.

    What the first of these tests wants is in it whatever the bound, or nothing could ever go on.
    """
    allowed: dict[Wanted, None] = {}
    for wanted in unfinished:
        if allowed and len(allowed.keys() | set(wanted)) > most:
            break
        allowed.update(dict.fromkeys(wanted))
    return list(allowed)
