"""What is made of `Record` is a frozen dataclass, for people and for the tools that know of those."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, asdict, field, fields, is_dataclass, replace
from typing import Any

import pytest

from envspec.record import Record


class Point(Record):
    """A record."""

    x: int
    y: int = 2
    names: Mapping[str, str] = field(default_factory=dict)


class Labelled(Point):
    """One with a field more, that is given by name."""

    label: str = field(default="here", kw_only=True)


def test_fields_are_given_by_place_or_by_name_and_default_to_what_the_class_says() -> None:
    assert asdict(Point(1)) == {"x": 1, "y": 2, "names": {}}
    assert asdict(Labelled(1, y=3, label="there")) == {"x": 1, "y": 3, "names": {}, "label": "there"}


def test_two_records_do_not_share_what_a_factory_made() -> None:
    assert Point(1).names is not Point(1).names


@pytest.mark.parametrize(
    ("given", "named", "said"),
    [
        ((), {}, "Point() lacks ['x']"),
        ((1,), {"z": 1}, "Point() knows no ['z']"),
        ((1,), {"x": 2}, "Point() got 1 fields by place, and ['x'] twice or beyond its last"),
        ((1, 2, {}, 4), {}, "Point() got 4 fields by place"),
    ],
    ids=["missing", "unknown", "twice", "too many"],
)
def test_wrong_fields_are_refused_by_name(given: tuple[Any, ...], named: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError) as refused:
        Point(*given, **named)

    assert said in str(refused.value)


def test_records_are_equal_by_their_kind_and_values() -> None:
    assert Point(1) == Point(1, 2) != Point(2)
    assert Point(1) != Labelled(1)
    assert len({Labelled(1, names=()), Labelled(1, names=()), Labelled(2, names=())}) == 2  # type: ignore[arg-type]


def test_a_record_cannot_be_changed() -> None:
    point = Point(1)

    with pytest.raises(FrozenInstanceError):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del point.x
    assert point == Point(1)


def test_dataclasses_and_pickle_take_a_record_for_a_dataclass() -> None:
    assert [item.name for item in fields(Labelled)] == ["x", "y", "names", "label"]
    assert replace(Labelled(1), y=5) == Labelled(1, 5)
    assert is_dataclass(Point)
    assert pickle.loads(pickle.dumps(Labelled(1, 4))) == Labelled(1, 4)


def test_a_record_may_complete_itself() -> None:
    class Doubled(Record):
        """One that does."""

        x: int

        def __post_init__(self) -> None:
            object.__setattr__(self, "x", 2 * self.x)

    assert Doubled(2).x == 4


def test_a_record_shows_its_fields() -> None:
    assert repr(Labelled(1)) == "Labelled(x=1, y=2, names={}, label='here')"
