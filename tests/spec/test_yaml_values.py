"""A plain scalar means what YAML 1.2 core says, and anything else is text."""

from __future__ import annotations

import math
from typing import Any

import pytest

from envspec.spec import source
from envspec.spec.nodes import MapNode, Scalar, plain_data


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("y", "y"),
        ("22:22", "22:22"),
        ("2026-01-01", "2026-01-01"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("=", "="),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("-7", -7),
        ("+7", 7),
        ("1e3", 1000.0),
        ("1e-5", 1e-5),
        (".5", 0.5),
        ("5.", 5.0),
        ("0.90", 0.9),
        ("1.2.3", "1.2.3"),
        ("1e", "1e"),
        ("0o18", "0o18"),
        ("true", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("null", None),
        ("~", None),
        ("-.inf", -math.inf),
        ("-", "-"),
    ],
)
def test_plain_scalars_are_read_by_yaml_1_2_core(written: str, value: Any) -> None:
    read = source.core_value(written)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("!!str 5", "5"),
        ("!!str", ""),
        ("!!str null", "null"),
        ('!!int "5"', 5),
        ("!!int 0x1F", 31),
        ("!!float 1", 1.0),
        ("!!float .5", 0.5),
        ('!!bool "true"', True),
        ('!!null ""', None),
        ("!!seq [1]", [1]),
        ("!!map {a: 1}", {"a": 1}),
    ],
)
def test_the_tags_of_the_core_schema_say_what_a_value_is(written: str, value: Any) -> None:
    read = plain_data(source.parse(f"a: {written}", "f.yaml"))["a"]
    assert read == value
    assert type(read) is type(value)


def test_not_a_number_is_read() -> None:
    assert math.isnan(source.core_value(".nan"))


def test_a_number_too_long_for_python_stays_text() -> None:
    assert source.core_value("1" * 5000) == "1" * 5000


def test_quoted_and_block_scalars_are_text_whatever_they_say() -> None:
    read = plain_data(source.parse("a: '1'\nb: \"true\"\nc: |\n  5\nd: >-\n  null\ne:\n", "f.yaml"))
    assert read == {"a": "1", "b": "true", "c": "5\n", "d": "null", "e": None}


def test_a_scalar_keeps_its_text_beside_its_value() -> None:
    root = source.parse("util: 0.90\n", "f.yaml")
    assert isinstance(root, MapNode)
    node = root.get("util")
    assert isinstance(node, Scalar)
    assert (node.text, node.value, node.plain) == ("0.90", 0.9, True)


def test_the_tag_raw_makes_text_that_is_never_a_template() -> None:
    root = source.parse('a: !raw "{{ x }}"\nb: !raw 5\n', "f.yaml")
    assert isinstance(root, MapNode)
    quoted, plain = root.get("a"), root.get("b")
    assert isinstance(quoted, Scalar)
    assert isinstance(plain, Scalar)
    assert quoted.raw
    assert plain.value == "5"


def test_merge_keys_are_shallow_and_give_way_to_what_the_mapping_writes_itself() -> None:
    text = """\
x-a: &a {image: one, env: {A: 1, B: 2}}
x-b: &b {image: two, cpu: 4}
first: {<<: *a, env: {C: 3}}
second:
  image: own
  <<: [*a, *b]
"""
    read = plain_data(source.parse(text, "f.yaml"))
    assert read["first"] == {"image": "one", "env": {"C": 3}}
    assert read["second"] == {"image": "own", "env": {"A": 1, "B": 2}, "cpu": 4}


def test_a_quoted_merge_key_is_a_key_like_any_other() -> None:
    assert plain_data(source.parse("'<<': {a: 1}\n", "f.yaml")) == {"<<": {"a": 1}}


def test_an_anchor_may_be_given_again() -> None:
    assert plain_data(source.parse("a: &x 1\nb: *x\nc: &x 2\nd: *x\n", "f.yaml")) == {"a": 1, "b": 1, "c": 2, "d": 2}
