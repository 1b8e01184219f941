"""The order of tests: those that need no environment first, then one environment after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any, TypeVar

import pytest
from _pytest.scope import Scope

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


@contextmanager
def overlooked(items: Sequence[pytest.Item]) -> Iterator[None]:
    """Let pytest overlook, as long as the block lasts, that tests share the fixture's parameter.

    It would put together those that do, as with any parameter of a session's scope. Orders of others are left alone.
    """
    scopes: list[dict[str, Any]] = [getattr(getattr(item, "callspec", None), "_arg2scope", {}) for item in items]
    found = [(one, one["environment"]) for one in scopes if "environment" in one]
    for one, _ in found:
        one["environment"] = Scope.Function
    try:
        yield
    finally:
        for one, scope in found:
            one["environment"] = scope
