"""What templates say: types kept, text joined, lists spliced, `$` and raw text untouched."""

from __future__ import annotations

from typing import Any

import pytest

from envspec.errors import Diagnostic
from envspec.spec import source
from envspec.spec.nodes import ListNode, plain_data
from envspec.spec.template import render

SCOPE: dict[str, Any] = {
    "vars": {
        "n": 2,
        "ratio": 0.9,
        "yes": True,
        "none": None,
        "list": ["a", 1],
        "map": {"b": 1, "a": "<é'>"},
        "items": "a var",
        "name": "it's",
    },
    "env": {"HOME": "/root"},
    "services": {"etcd": {"ports": {"client": 2379}, "enabled": True}},
}


def rendered(text: str) -> Any:
    found: list[Diagnostic] = []
    node = render(source.parse(text, "f.yaml"), SCOPE, found)
    assert found == []
    return plain_data(node)


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ vars.n }}", 2),
        ("{{ vars.n + 1 }}", 3),
        ("{{ vars.yes }}", True),
        ("{{ vars.none }}", None),
        ("{{ vars.list }}", ["a", 1]),
        ("{{ vars.map }}", {"b": 1, "a": "<é'>"}),
        ("{{ vars['n'] }}", 2),
        ("{{ vars.list[0] }}", "a"),
        ("{{ vars.list.1 }}", 1),
        ("{{ vars.list | map('string') }}", ["a", "1"]),
        ("{{ range(3) }}", [0, 1, 2]),
        ("{{ vars.items }}", "a var"),
        ("{{- vars.n -}}", 2),
        ("{{ '}}' }}", "}}"),
        ("{{ 'x' if vars.n == 3 }}", None),
        ("{{ ('x' if vars.n == 3) or 5 }}", 5),
        ("{{ ('x' if vars.n == 3) | default('y') }}", "y"),
        ("{{ ['x' if vars.n == 3, 1] }}", [None, 1]),
        ("{{ vars.nope | default('d') }}", "d"),
        ("{{ vars.nope is defined }}", False),
        ("{{ 'HOME' in env }}", True),
        ("{{ services.etcd.ports.client }}", 2379),
    ],
)
def test_a_whole_expression_keeps_its_type(template: str, value: Any) -> None:
    read = rendered(f'"{template}"')
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("n={{ vars.n }}", "n=2"),
        ("{{ vars.n }} ", "2 "),
        ("{{ vars.n }}{{ vars.n }}", "22"),
        ("--x={{ vars.yes }}", "--x=true"),
        ("{{ '--x=' ~ vars.yes }}", "--x=true"),
        ("{{ [vars.yes, 1] | join(',') }}", "true,1"),
        ("a{{ 'x' if vars.n == 3 }}b", "ab"),
        ("a{{ vars.none or '' }}b", "ab"),
        ("{{ vars.map | tojson }}!", '{"b": 1, "a": "<é\'>"}!'),
        ("echo {{ vars.name | quote }}", "echo 'it'\"'\"'s'"),
        ("echo {{ vars.list | quote }}", "echo a 1"),
        ("{# no comment #} {{ vars.n }}", "{# no comment #} 2"),
        ("$HOME ${A} $$ {{ vars.n }}", "$HOME ${A} $$ 2"),
        ("{% raw %}{{ vars.n }}{% endraw %}", "{{ vars.n }}"),
        ("{% if vars.yes %}{{ vars.n }}{% endif %}", "2"),
        ("{% for x in vars.list %}{{ x }}{{ ',' if not loop.last }}{% endfor %}", "a,1"),
        ("{% set x = 3 %}{{ x }}{{ x }}", "33"),
        ("$HOME {not a template}", "$HOME {not a template}"),
    ],
)
def test_longer_text_is_text(template: str, text: str) -> None:
    assert rendered(source_text(template)) == text


def source_text(template: str) -> str:
    """Quote a template as YAML does, so that it is the text and nothing else."""
    return '"' + template.replace("\\", "\\\\").replace('"', '\\"') + '"'


def test_blocks_leave_no_empty_lines_and_the_last_line_break_stays() -> None:
    text = "|\n  {% for x in vars.list %}\n    - {{ x }}\n  {% endfor %}\n  end {{ vars.n }}\n"
    assert rendered(text) == "  - a\n  - 1\nend 2\n"


def test_in_lists_null_is_dropped_and_a_list_takes_the_place_of_its_item() -> None:
    text = """["{{ vars.list }}", "{{ vars.none }}", "{{ '--x' if vars.n == 3 }}", null, "{{ [] }}", end]"""
    assert rendered(text) == ["a", 1, None, "end"]


def test_in_mappings_null_stays() -> None:
    assert rendered("a: '{{ vars.none }}'\n'b': 1") == {"a": None, "b": 1}


def test_the_tag_raw_keeps_a_template_as_it_is() -> None:
    assert rendered("a: !raw '{{ vars.n }}'") == {"a": "{{ vars.n }}"}


def test_a_tree_without_templates_is_the_tree_itself() -> None:
    node = source.parse("a: [1, x]", "f.yaml")
    assert plain_data(render(node, {}, [])) == {"a": [1, "x"]}


def test_what_a_template_says_stands_where_the_template_stands() -> None:
    node = render(source.parse("\n - '{{ vars.list }}'", "f.yaml"), SCOPE, [])
    assert isinstance(node, ListNode)
    assert [(item.mark.line, item.mark.column) for item in node.items] == [(2, 4), (2, 4)]
