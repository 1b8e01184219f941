"""Tests that ask for an environment by name, `request.getfixturevalue("environment")`, which pytest foresees in none.

What their code says is looked at: of a test and of the fixtures that pytest knows it has. A name that is made up when
the test runs, or asked for in a function elsewhere, is not found, and such a test is met when it asks.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import cache
from types import CodeType
from typing import Any

import pytest

OURS = frozenset({"environment", "service_ports", "service_urls"})
"""The fixtures that bring an environment."""


def asks_by_name(item: pytest.Item) -> bool:
    """Tell whether the code of a test, or of one of its fixtures, asks for a fixture of ours by its name."""
    return any(map(_asks, _codes(item)))


def _codes(item: Any) -> Iterator[CodeType]:
    fixtures = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    functions = [getattr(item, "obj", None), *(one.func for several in fixtures.values() for one in several)]
    for function in functions:
        code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
        if isinstance(code, CodeType):
            yield code


@cache
def _asks(code: CodeType) -> bool:
    parts = list(_parts(code))
    names = {name for part in parts for name in part.co_names}
    return "getfixturevalue" in names and not OURS.isdisjoint(
        constant for part in parts for constant in part.co_consts if isinstance(constant, str)
    )


def _parts(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of a function and of those within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _parts(constant)
