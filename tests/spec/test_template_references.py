"""What a template reads is known without rendering it, and whether it asked first."""

from __future__ import annotations

import pytest

from envspec.spec import source
from envspec.spec.template import Reference, references


def read(text: str) -> list[Reference]:
    return references(source.parse(text, "f.yaml"))


@pytest.mark.parametrize(
    ("template", "paths"),
    [
        ("{{ vars.n }}", ["vars.n"]),
        ("http://{{ replica.host }}:{{ ports.http }}", ["replica.host", "ports.http"]),
        ("{{ services['etcd'].ports.client }}", ["services.etcd.ports.client"]),
        ("{{ services.w.replicas[0].dir }}", ["services.w.replicas.0.dir"]),
        ("{{ services[vars.name].dir }}", ["services", "vars.name"]),
        ("{{ [vars.a, {'k': vars.b}] | map(vars.c) }}", ["vars.a", "vars.b", "vars.c"]),
        ("{% for x in vars.list %}{{ x.y }}{{ loop.index }}{% endfor %}", ["vars.list"]),
        ("{% set q = vars.a %}{{ q }}{{ range(vars.n) }}", ["vars.a", "vars.n"]),
        ("{{ true }}{{ none }}", []),
        ("{% raw %}{{ vars.n }}{% endraw %}", []),
        ("{{ broken", []),
        ("no template", []),
    ],
)
def test_every_path_is_found(template: str, paths: list[str]) -> None:
    assert [".".join(map(str, reference.path)) for reference in read(f'"{template}"')] == paths


@pytest.mark.parametrize(
    "template",
    [
        "{{ services.x.url if services.x.enabled }}",
        "{{ services.x.url if vars.a and services.x.enabled }}",
        "{{ 'none' if not services.x.enabled else services.x.url }}",
        "{{ services.x.enabled and services.x.url }}",
        "{{ not services.x.enabled or services.x.url }}",
        "{% if services.x.enabled %}{{ services.x.url }}{% endif %}",
        "{% if services.x is not defined %}{% else %}{{ services.x.url }}{% endif %}",
        "{{ services.x.url if services.x is defined }}",
        "{{ services.x.url | default('') }}",
        "{{ services.x.url is defined }}",
        "{{ services.x.url if 'x' in services }}",
        "{{ services.x.url if services.x }}",
    ],
)
def test_a_path_that_was_asked_for_is_guarded(template: str) -> None:
    (url,) = (reference for reference in read(f'"{template}"') if reference.path[-1] == "url")
    assert url.guarded


@pytest.mark.parametrize(
    "template",
    [
        "{{ services.x.url }}",
        "{{ services.x.url if services.y.enabled }}",
        "{{ services.x.url if not services.x.enabled }}",
        "{{ services.x.url if services.x.enabled or vars.a }}",
        "{{ 'none' if services.x.enabled else services.x.url }}",
        "{% if services.x.enabled %}{% endif %}{{ services.x.url }}",
        "{{ services.x.url | upper }}",
    ],
)
def test_a_path_that_was_not_asked_for_is_not(template: str) -> None:
    (url,) = (reference for reference in read(f'"{template}"') if reference.path[-1] == "url")
    assert not url.guarded


def test_references_stand_where_the_path_begins() -> None:
    text = "a: 1\nb:\n  - |\n    x\n    {{ vars.a }} {{ vars['b'] + vars.c }}\n"
    places = [(r.mark.file, r.mark.line, r.mark.column) for r in read(text)]
    assert places == [("f.yaml", 5, 8), ("f.yaml", 5, 21), ("f.yaml", 5, 33)]
