"""The schemas accept what the format accepts, refuse what it refuses, and the files of the repository are current."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from envspec.spec import source
from envspec.spec.json_schema import SCHEMAS
from envspec.spec.nodes import plain_data

ROOT = Path(__file__).parents[2]


@cache
def schema(name: str = "environment") -> Draft7Validator:
    made = SCHEMAS[f"{name}.schema.json"]()
    Draft7Validator.check_schema(made)
    return Draft7Validator(made)


def problems(text: str, name: str = "environment") -> list[str]:
    return [error.message for error in schema(name).iter_errors(plain_data(source.parse(text, "f.yaml")))]


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_in_the_repository_are_current(name: str) -> None:
    written = json.loads((ROOT / "schemas" / name).read_text())
    assert written == SCHEMAS[name](), "run envspec schema"


@pytest.mark.parametrize("path", sorted(ROOT.glob("environments/*.yaml")), ids=lambda path: path.name)
def test_our_environments_are_good(path: Path) -> None:
    assert problems(path.read_text()) == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("envspec/catalog/*.yaml")), ids=lambda path: path.name)
def test_our_catalog_is_good(path: Path) -> None:
    assert problems(path.read_text(), "entry") == []


@pytest.mark.parametrize(
    "service",
    [
        "{command: [python, -m, x, 1, 0.5, yes, true, {a: 1}]}",
        "{command: ['{{ x }}'], replicas: '{{ vars.n }}', enabled: '{{ vars.on }}'}",
        "{args: '{{ vars.args }}', start_timeout: '{{ vars.t }}', kind: '{{ vars.k }}'}",
        "{env: {A: 1, B: null, C: true, D: {a: 1}, E: [1]}, files: {a.json: {b: 1}, b.txt: text}}",
        "{ports: {a: auto, b: 8000, c: 20000-20999, d: {range: system, count: 2}, e: '{{ x }}', f: null}}",
        "{depends_on: [a, '{{ x }}']}",
        "{depends_on: {a: healthy, b: '{{ x }}'}}",
        "{health: [{tcp: {port: a}}, {http: {endpoint: a.b, status: [200, 204], json: {a: [{}]}}}, {log: {match: x}}]}",
        "{health: [{http: {port: a, headers: '{{ x }}', body: {a: 1}}}]}",
        "{stop: {signal: INT, timeout: 5s}, restart: {on: failure, max: 3}, liveness: {every: 5s}}",
        "{attach: '{{ x }}', ports: '{{ vars.p }}', restart: '{{ x }}', health: '{{ x }}', env: '{{ x }}'}",
        "{ports: {a: {range: '{{ x }}', count: '{{ x }}'}}, stop: {timeout: '{{ x }}'}, attach: {ports: '{{ x }}'}}",
        "{health: ['{{ x }}', {tcp: '{{ x }}'}, {http: {port: a, headers: {a: 1}, tls: '{{ x }}'}}]}",
        "{health: [{tcp: {port: a, x-b: 1}}, {http: {port: a, tls: {x-c: 1}}}]}",
        "{stop: null, health: null, shell: null, use: null}",
        "{use: nats, with: {jetstream: true}}",
        "{use: nats, with: {jetstream: '{{ vars.js }}'}}",
        "{use: nats, with: '{{ vars.given }}'}",
        "{use: ./mine.yaml, with: {anything: 1}}",
        "{use: '{{ vars.entry }}'}",
        "{x-note: anything, attach: {ports: {http: 8000}}}",
    ],
)
def test_what_is_right_is_accepted(service: str) -> None:
    assert problems(f"services: {{a: {service}}}") == []


@pytest.mark.parametrize(
    "text",
    [
        "versoin: 1",
        "version: 2",
        "start_timeout: 30",
        "matrix: {a: [1]}",
        "services: {a-b: {}}",
        "services: {a: text}",
        "services: {a: '{{ x }}'}",
        "services: '{{ x }}'",
        "models: {a: '{{ x }}'}",
        "vars: '{{ x }}'",
        "services: {a: {commnd: [x]}}",
        "services: {a: {command: text}}",
        "services: {a: {replicas: two}}",
        "services: {a: {replicas: -1}}",
        "services: {a: {kind: servce}}",
        "services: {a: {ports: {http: 70000}}}",
        "services: {a: {ports: {http: {rnge: 1}}}}",
        "services: {a: {depends_on: {b: helthy}}}",
        "services: {a: {health: [{http: {port: a}, tcp: {port: a}}]}}",
        "services: {a: {health: [{http: {port: a, url: b}}]}}",
        "services: {a: {health: [{http: null}]}}",
        "services: {a: {health: [{htp: {}}]}}",
        "services: {a: {use: etc}}",
        "services: {a: {use: nats, with: {jetstrem: true}}}",
        "services: {a: {use: nats, with: {jetstream: maybe}}}",
        "services: {a: {use: dynamo-mocker}}",
        "models: {a: {synthetic: {architecture: gpt}}}",
        "models: {a: {}}",
        "models: {a: {repo: org/name, path: ./here}}",
        "models: {a: {path: ./here, revision: main}}",
        "models: {a: {repo: org/name, include: all}}",
        "models: {a: {repo: org/name, warm: gpu}}",
        "requires: {memory: 5}",
    ],
)
def test_what_is_wrong_is_refused(text: str) -> None:
    assert problems(text)


def test_an_entry_uses_no_entry() -> None:
    assert problems("service: {use: etcd}", "entry")
    assert problems("service: {command: [x]}", "entry") == []


def described(node: Any, path: str = "") -> list[str]:
    """Return the properties that have no description."""
    if isinstance(node, list):
        return [missing for item in node for missing in described(item, path)]
    if not isinstance(node, dict):
        return []
    properties = {} if path.endswith(("/if", "/then")) else node.get("properties", {})
    bare = [f"{path}/{key}" for key, value in properties.items() if not value.get("description")]
    return bare + [missing for key, value in node.items() for missing in described(value, f"{path}/{key}")]


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_key_is_explained(name: str) -> None:
    assert described(SCHEMAS[name]()) == []
