"""`vars`: they use one another, and the caller's values take the type that the file wrote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envspec.errors import SpecError
from envspec.spec.environment import Environment

Load = Callable[..., Environment]
Refused = Callable[..., list[str]]

TYPED = """
    vars:
      text: "1.10"
      word: kv
      count: 2
      ratio: 0.5
      flag: false
      list: [1, 2]
      map: {a: 1}
      nothing: null
      doubled: "{{ vars.count * 2 }}"
      joined: "{{ vars.word }}-{{ vars.count }}"
"""


def test_vars_may_use_one_another_in_any_order_and_the_callers_environment(load_text: Load) -> None:
    text = """
        vars:
          c: "{{ vars.b + 1 }}"
          b: "{{ vars.a * 10 }}"
          a: 2
          home: "{{ env.HOME | default('none') }}"
    """
    assert load_text(text, environ={"HOME": "/h"}).vars == {"c": 21, "b": 20, "a": 2, "home": "/h"}
    assert load_text(text).vars["home"] == "none"


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("text", "2.20", "2.20"),
        ("text", "yes", "yes"),
        ("word", "[a]", "[a]"),
        ("count", "4", 4),
        ("ratio", "2", 2),
        ("flag", "true", True),
        ("list", "[3, x]", [3, "x"]),
        ("list", "[]", []),
        ("map", "{b: [no]}", {"b": ["no"]}),
        ("nothing", "7", 7),
        ("nothing", "", None),
        ("nothing", "22:22", "22:22"),
        ("doubled", "7", 7),
        ("joined", "9", "9"),
    ],
)
def test_a_given_value_takes_the_type_of_the_written_default(
    load_text: Load, name: str, given: str, value: Any
) -> None:
    by_option = load_text(TYPED, sets={name: given}).vars[name]
    by_variable = load_text(TYPED, environ={f"ENVSPEC_VAR_{name.upper()}": given}).vars[name]
    assert (by_option, by_variable) == (value, value)
    assert type(by_option) is type(value)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("count", "two"),
        ("count", "2.5"),
        ("count", "true"),
        ("flag", "yes"),
        ("flag", "1"),
        ("list", "a"),
        ("map", "[1]"),
    ],
)
def test_a_given_value_of_another_type_is_refused(refused: Refused, name: str, given: str) -> None:
    (finding,) = refused(TYPED, sets={name: given})
    assert f"wrong-type: --set {name}={given}: this var is" in finding
    assert "True" not in finding  # a bool is said as the file writes it


def test_a_given_value_that_is_no_yaml_is_shown_with_its_place(load_text: Load) -> None:
    with pytest.raises(SpecError) as caught:
        load_text(TYPED, sets={"list": '[3, "a'})
    (finding,) = caught.value.diagnostics
    assert Path(finding.file).is_file(), "what is counted and quoted as a file is one"
    assert (finding.code, finding.message) == ("syntax", "--set list: the quote that opens here is never closed")
    assert finding.hint == '[3, "a\n    ^ here'


def test_set_wins_over_the_environment_and_reaches_what_uses_the_var(load_text: Load) -> None:
    loaded = load_text(TYPED, sets={"count": "3"}, environ={"ENVSPEC_VAR_COUNT": "9", "ENVSPEC_VAR_ELSEWHERE": "x"})
    assert (loaded.vars["count"], loaded.vars["doubled"], loaded.vars["joined"]) == (3, 6, "kv-3")


def test_setting_what_is_not_declared_is_refused_with_the_nearest_name(refused: Refused) -> None:
    assert refused(TYPED, sets={"cuont": "3"}) == ["3:3 unknown-var: --set cuont: there is no var 'cuont'"]
    assert refused("services: {}\n", sets={"a": "1"}) == ["1:1 unknown-var: --set a: there is no var 'a'"]


def test_a_given_value_saves_a_default_that_cannot_be_worked_out(load_text: Load) -> None:
    text = """
        vars: {token: "{{ env.TOKEN }}"}
    """
    assert load_text(text, sets={"token": "5"}).vars == {"token": 5}


def test_a_given_value_that_is_no_yaml_is_refused(refused: Refused) -> None:
    (finding,) = refused(TYPED, sets={"list": "[1"})
    assert "syntax" in finding


def test_circles_are_named_in_full_and_told_once(refused: Refused) -> None:
    text = """
        vars: {a: "{{ vars.c }}", b: "{{ vars.a }}", c: "{{ vars.b }}"}
        services: {web: {command: [x], replicas: "{{ vars.a }}"}}
    """
    (finding,) = refused(text)
    assert "vars use one another in a circle: a → c → b → a" in finding


def test_vars_see_no_ports_and_no_services(refused: Refused) -> None:
    (finding,) = refused("""
        vars: {url: "{{ services.web.endpoints.http }}"}
        services: {web: {command: [x], ports: {http: auto}}}
    """)
    assert "2:17 out-of-scope: vars decides the environment's shape" in finding


def test_a_name_such_as_items_is_the_var(load_text: Load) -> None:
    text = """
        vars: {items: [a], keys: 1, n: "{{ vars.items | length + vars.keys }}"}
    """
    assert load_text(text).vars["n"] == 2


def test_null_within_free_data_stays_null(load_text: Load) -> None:
    assert load_text("vars: {a: null, b: {c: null}}\n").vars == {"a": None, "b": {"c": None}}
