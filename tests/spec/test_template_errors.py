"""What is wrong with a template is said at its very character, with the nearest name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from envspec.errors import Diagnostic
from envspec.spec import source
from envspec.spec.nodes import Node, Scalar
from envspec.spec.template import Unavailable, render

SCOPE: dict[str, Any] = {
    "vars": {"workers": 2, "none": None, "list": [1, 2], "map": {"a": 1}, "flag": True},
    "services": {
        "etcd": {"enabled": True, "ports": {"client": 2379}},
        "old": {"enabled": False, "ports": Unavailable("the service 'old' is disabled", "ask first")},
    },
}


def failed(text: str) -> Diagnostic:
    found: list[Diagnostic] = []
    render(source.parse(text, "f.yaml"), SCOPE, found)
    assert len(found) == 1
    return found[0]


def assert_told(code: str, template: str, target: str, message: str, hint: str) -> None:
    text = f'key: "{template}"'
    found = failed(text)
    assert (found.code, found.line, found.column) == (code, 1, text.index(target) + 1)
    assert message in found.message
    assert hint in found.hint


@pytest.mark.parametrize(
    ("template", "target", "message", "hint"),
    [
        ("{{ vars.wrkers }}", "wrkers", "vars has no 'wrkers'", "did you mean 'workers'?"),
        ("{{ var.workers }}", "var", "there is no 'var' here", "did you mean 'vars'?"),
        ("a {{ vars.workers }} {{ services.etc.x }}", "etc", "services has no 'etc'", "did you mean 'etcd'?"),
        ("{{ services.etcd.ports.clint + 1 }}", "clint", "services.etcd.ports has no 'clint'", "'client'"),
        ("{{ vars['hostname'] }}", "'hostname'", "vars has no 'hostname'", "known here"),
        ("{{ vars.list[7] }}", "7", "vars.list has 2 items, and none at 7", "begins with 0"),
        ("{{ vars.list.append(3) }}", "append", "vars.list is a list, and has no key 'append'", ""),
        ("{{ vars.map.items() }}", "items", "vars.map has no 'items'", ""),
        ("{{ vars.map.__class__ }}", "__class__", "vars.map has no '__class__'", ""),
        ("{{ ''.__class__ }}", "__class__", "this is text, and has no key '__class__'", ""),
        ("{{ [vars.nope] }}", "nope", "vars has no 'nope'", ""),
        ("{{ vars.nope ~ 'x' }}", "nope", "vars has no 'nope'", ""),
        ("{{ vars.nope | tojson }}", "nope", "vars has no 'nope'", ""),
        ("{{ services.old.ports.x }}", "ports", "the service 'old' is disabled", "ask first"),
        ("x {{ vars.none }}", "vars", "null cannot stand within text", "add `or ''`"),
        ("x {{ vars.list }}", "vars", "a list cannot stand within text", "add `| join(' ')`, or `| tojson`"),
        ("x {{ vars.map }}", "vars", "a mapping cannot stand within text", "add `| tojson`"),
        ("x {{ vars.list ~ '' }}", "vars", "a list cannot stand within text", "| join"),
        ("{{ 1 + vars.list }}", "1", "this cannot be computed", "`~` joins"),
        ("{{ vars.workers / 0 }}", "vars", "division by zero", ""),
        ("{{ namespace }}", "namespace", "not a value", ""),
        ("{{ range(10**9) }}", "(10", "Range too big", ""),
        ("{{ 'x' * 10**9 }}", "'x'", "1000000000 long", ""),
        ("{{ 10 ** 1000 }}", "10", "too large", ""),
        ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", "() }}", "recursion", ""),
        ("{{ vars.list | map(attribute='q') | list }}", 'list }}"', "an item is a number, and has no key 'q'", ""),
    ],
)
def test_the_place_is_the_character_and_the_words_are_plain(
    template: str, target: str, message: str, hint: str
) -> None:
    assert_told("template", template, target, message, hint)


@pytest.mark.parametrize(
    ("template", "target", "message", "hint"),
    [
        ("{{ vars.workers | nope }}", "nope", "there is no filter 'nope'", ""),
        ("{{ vars.map | tojsn }}", "tojsn", "there is no filter 'tojsn'", "did you mean 'tojson'?"),
        ("{{ vars.workers is evn }}", "evn", "there is no test 'evn'", "did you mean 'even'?"),
        ("{{ 1 + }}", "}}", "not well formed", ""),
        ("{{ vars.workers }", '}"', "unexpected '}'", ""),
        ("{% include 'x' %}", "include", "cannot include, import or extend", ""),
    ],
)
def test_what_is_no_template_whatever_its_names_hold_is_told_as_such(
    template: str, target: str, message: str, hint: str
) -> None:
    assert_told("bad-template", template, target, message, hint)


def test_a_block_that_is_never_closed_names_its_end() -> None:
    assert failed("'{% if vars.flag %}x'").message == "{% if %} is never closed: {% endif %} is missing"


@pytest.mark.parametrize(
    "text",
    [
        "|\n  one\n  two {{ vars.TYPO }}\n",
        ">-\n  one\n\n    two {{ vars.TYPO }}\n",
        '"one\\n\\t\\u00e9 {{ vars.TYPO }}"',
        '"one\n  two {{ vars.TYPO }}"',
        "'it''s {{ vars.TYPO }}'",
        "one {{ vars.workers\n  }} two {{ vars.TYPO }}",
        "|\n  {% if vars.flag %}\n  x\n  {%- endif %}\n    {% if vars.TYPO %}{% endif %}\n",
        "|\r\n  one\r\n  two {{ vars.TYPO }}\r\n",
    ],
)
def test_the_place_is_exact_in_every_style_of_scalar(text: str) -> None:
    found = failed(text)
    before = text[: text.index("TYPO")]
    assert (found.line, found.column) == (before.count("\n") + 1, len(before) - before.rfind("\n"))


def test_the_same_name_twice_is_told_where_it_fails() -> None:
    text = "\"{{ vars.x | default('') }}{{ vars.x }}\""
    assert failed(text).column == text.rindex("x }}") + 1


def test_all_failing_scalars_are_told_and_stay_as_they_were() -> None:
    found: list[Diagnostic] = []
    node = source.parse("a: '{{ vars.x }}'\nb: ['{{ vars.y }}', '{{ vars.workers }}']", "f.yaml")
    after = render(node, SCOPE, found)
    assert [(d.line, d.column) for d in found] == [(1, 13), (2, 14)]
    assert [scalar.text for scalar in leaves(after)] == ["{{ vars.x }}", "{{ vars.y }}", "2"]


def leaves(node: Node) -> list[Scalar]:
    if isinstance(node, Scalar):
        return [node]
    inner = [item[1] if isinstance(item, tuple) else item for item in node.items]
    return [leaf for child in inner for leaf in leaves(child)]


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{% if false %}x{% endif %}{% endfor %}{% endfor %}",
        "{% for i in range(9999) %}{% for j in range(99999) if false %}x{% endfor %}{% endfor %}",
        "{% for i in range(99999) %}{{ range(99999) | sum }}{% endfor %}",
        "{% for i in range(99999) %}{{ vars.long | sort | length }}{% endfor %}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    ],
)
def test_the_work_of_a_template_is_bounded(template: str) -> None:
    found: list[Diagnostic] = []
    render(source.parse(json.dumps(template), "f.yaml"), {"vars": {"long": list(range(50_000))}}, found)
    assert [item.message for item in found] == ["this template takes more than 1000000 steps"]


def test_one_loop_over_the_largest_range_is_no_mistake() -> None:
    template = "{% for i in range(100000) %}{{ i if i == 99999 }}{% endfor %}"
    found: list[Diagnostic] = []
    node = render(source.parse(json.dumps(template), "f.yaml"), {}, found)
    assert isinstance(node, Scalar)
    assert (node.text, found) == ("99999", [])


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("(", ")"),
        ("[", "]"),
        ("{1: ", "}"),
        ("1 + ", ""),
        ("1 and ", ""),
        ("not ", ""),
        ("- ", ""),
        ("1 if 1 else ", ""),
    ],
)
@pytest.mark.parametrize("levels", [40, 400])
def test_nesting_without_end_is_told_beside_the_other_mistakes(opening: str, closing: str, levels: int) -> None:
    deep = f"{opening * levels}1{closing * levels}"
    text = f"x\n{{{{ {deep} }}}} {{{{ vars.TYPO }}}}"
    found: list[Diagnostic] = []
    render(source.parse(f"key: {json.dumps(text)}", "f.yaml"), SCOPE, found)
    assert [item.code for item in found] == ["too-deep", "template"]
    assert found[0].message == "this template is nested deeper than 32 levels"
    assert 11 <= found[0].column < found[1].column


def test_nesting_is_told_at_the_bracket_that_is_one_too_many() -> None:
    assert failed(f"{{{{ {'(' * 33}1{')' * 33} }}}}".join("''")).column == 1 + len("'{{ ") + 32


@pytest.mark.parametrize(
    ("template", "levels"),
    [
        ("{% if 1 %}{}{% endif %}", 300),
        ("{% for i in [1] %}{}{% endfor %}", 25),
        ("{% for i in [1] %}{}{% endfor %}", 300),
    ],
)
def test_blocks_in_one_another_without_end_are_refused(template: str, levels: int) -> None:
    before, after = template.split("{}")
    found: list[Diagnostic] = []
    render(source.parse(json.dumps(before * levels + "x" + after * levels), "f.yaml"), SCOPE, found)
    assert {item.code for item in found} == {"too-deep"}


@pytest.mark.parametrize(("opening", "closing"), [("(", ")"), ("[", "]"), ("1 + ", ""), ("not ", "")])
def test_a_template_may_be_as_deep_as_the_bound(opening: str, closing: str) -> None:
    found: list[Diagnostic] = []
    render(source.parse(f"'{{{{ {opening * 32}1{closing * 32} }}}}'", "f.yaml"), SCOPE, found)
    assert found == []
