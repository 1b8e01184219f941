"""Whether some JSON holds what is expected of it, and where it does not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def difference(expected: Any, actual: Any, path: str = "") -> str:
    """Return where `actual` lacks what `expected` says, or an empty string.

    A mapping must have the expected keys, and may have more. Each element of an expected list must match a different
    element of the actual one, in any order. Anything else must be equal; `1` and `1.0` are, `1` and `true` are not.
    """
    if isinstance(expected, Mapping):
        return _mapping_difference(expected, actual, path)
    if isinstance(expected, list | tuple):
        return _list_difference(expected, actual, path)
    same = isinstance(expected, bool) == isinstance(actual, bool) and expected == actual
    return "" if same else f"{path or 'the body'} is {_shown(actual)}, expected {_shown(expected)}"


def _mapping_difference(expected: Mapping[str, Any], actual: Any, path: str) -> str:
    if not isinstance(actual, Mapping):
        return f"{path or 'the body'} is {_shown(actual)}, expected a mapping"
    for key, value in expected.items():
        inner = f"{path}.{key}" if path else str(key)
        if key not in actual:
            return f"{inner} is missing"
        if found := difference(value, actual[key], inner):
            return found
    return ""


def _list_difference(expected: Sequence[Any], actual: Any, path: str) -> str:
    where = path or "the body"
    if not isinstance(actual, list):
        return f"{where} is {_shown(actual)}, expected a list"
    if len(actual) < len(expected):
        return f"{where} has {len(actual)} elements, expected at least {len(expected)}"
    candidates = [[i for i, item in enumerate(actual) if not difference(want, item)] for want in expected]
    for want, matching in zip(expected, candidates, strict=True):
        if not matching and len(actual) == 1:
            return difference(want, actual[0], f"{path}[0]")
        if not matching:
            return f"none of the {len(actual)} elements of {where} matches {_shown(want)}"
    if not _all_matched(candidates):
        return f"{where} has too few different elements that match {_shown(expected)}"
    return ""


def _all_matched(candidates: list[list[int]]) -> bool:
    """Say whether every expected element can have an actual one of its own (a bipartite matching)."""
    taken: dict[int, int] = {}

    def place(want: int, tried: set[int]) -> bool:
        for item in candidates[want]:
            if item in tried:
                continue
            tried.add(item)
            if item not in taken or place(taken[item], tried):
                taken[item] = want
                return True
        return False

    return all(place(want, set()) for want in range(len(candidates)))


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str):
        text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
