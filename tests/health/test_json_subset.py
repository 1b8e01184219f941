"""What `json:` takes for a match."""

from __future__ import annotations

from typing import Any

import pytest

from envspec.health.subset import difference


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({}, {"a": 1}),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}, "d": 3}),
        ([], [1, 2]),
        ([{}], [{"id": 1}]),
        ([2, 1], [1, 2, 3]),
        (1, 1.0),
        (None, None),
        ([{"e": "generate"}] * 2, [{"e": "generate", "i": 1}, {"e": "clear"}, {"e": "generate", "i": 2}]),
        # The first expected element fits both, the second only the first: greedy matching would fail.
        ([{"a": 1}, {"a": 1, "b": 2}], [{"a": 1, "b": 2}, {"a": 1}]),
    ],
)
def test_more_than_expected_is_a_match(expected: Any, actual: Any) -> None:
    assert difference(expected, actual) == ""


@pytest.mark.parametrize(
    ("expected", "actual", "said"),
    [
        ({"status": "ready"}, {"status": "starting"}, "status is 'starting', expected 'ready'"),
        ({"a": {"b": 1}}, {"a": {}}, "a.b is missing"),
        ({"a": 1}, [1], "the body is [1], expected a mapping"),
        ({"data": [{}]}, {"data": []}, "data has 0 elements, expected at least 1"),
        ({"data": [{"id": "b"}]}, {"data": [{"id": "a"}]}, "data[0].id is 'a', expected 'b'"),
        ({"d": ["x"]}, {"d": ["y", "z"]}, "none of the 2 elements of d matches 'x'"),
        ([1, 1], [1, 2], "the body has too few different elements that match [1, 1]"),
        ([1], {"0": 1}, 'the body is {"0": 1}, expected a list'),
        (True, 1, "the body is 1, expected true"),
        (0, False, "the body is false, expected 0"),
        ("1", 1, "the body is 1, expected '1'"),
        ({"a": None}, {}, "a is missing"),
    ],
)
def test_a_mismatch_says_where(expected: Any, actual: Any, said: str) -> None:
    assert difference(expected, actual) == said


def test_what_is_shown_stays_short() -> None:
    assert len(difference({"a": 1}, ["x" * 1000])) < 150
