"""The shape of an environment: replicas, ports, places to attach to, dependencies; known before anything is leased."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envspec.plan.plan import Endpoint
from envspec.resolve import resolve, stand_in
from envspec.spec.environment import Environment

Load = Callable[..., Environment]
Refused = Callable[..., list[str]]


def port(load_text: Load, written: str, top: str = "") -> Any:
    text = f"{top}\nservices: {{s: {{command: [s], ports: {{http: {written}}}}}}}\n"
    return load_text(text).services["s"].ports["http"]


def test_an_empty_environment_is_one(load_text: Load) -> None:
    loaded = load_text("version: 1\n")
    assert (loaded.name, loaded.services, loaded.models, loaded.vars) == ("env", {}, {}, {})


def test_the_project_is_the_nearest_folder_with_a_project_file(load_text: Load, tmp_path: Path) -> None:
    assert load_text("{}\n").project == tmp_path
    (tmp_path / "pyproject.toml").touch()
    nested = load_text("extends: a/env.yaml\n", files={"a/env.yaml": "{}\n"})
    assert (nested.project, nested.directory) == (tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("written", "ranges", "fixed"),
    [
        ("auto", ((20000, 24999),), None),
        ("null", None, None),
        ("9090", (), 9090),
        ('"21000-21999"', ((21000, 21999),), None),
        ("21000-21999", ((21000, 21999),), None),
        ("{range: 21000-21999}", ((21000, 21999),), None),
        ("{range: 9090}", (), 9090),
        ("{scheme: grpc}", ((20000, 24999),), None),
    ],
)
def test_a_port_is_written_in_many_ways(load_text: Load, written: str, ranges: Any, fixed: int | None) -> None:
    if written == "null":
        assert load_text("services: {s: {command: [s], ports: {http: null}}}\n").services["s"].ports == {}
        return
    found = port(load_text, written)
    assert (found.ranges, found.fixed, found.count, found.block) == (ranges, fixed, 1, False)


def test_named_ranges_and_the_environments_own_range(load_text: Load) -> None:
    top = "ports: {range: 30000-30099, ranges: {system: 100-199}}"
    assert port(load_text, "auto", top).ranges == ((30000, 30099),)
    assert port(load_text, "{range: system}", top).ranges == ((100, 199),)
    assert port(load_text, "system", top).ranges == ((100, 199),)


def test_a_block_is_a_list_even_of_one(load_text: Load) -> None:
    assert (port(load_text, "{count: 1}").block, port(load_text, "{count: 4}").count) == (True, 4)


@pytest.mark.parametrize(
    ("name", "written", "scheme"),
    [
        ("http", "auto", "http"),
        ("nats", "auto", "nats"),
        ("client", "auto", "tcp"),
        ("client", "{scheme: http}", "http"),
    ],
)
def test_the_scheme_is_what_is_said_else_the_ports_name_else_tcp(
    load_text: Load, name: str, written: str, scheme: str
) -> None:
    loaded = load_text(f"services: {{s: {{command: [s], ports: {{{name}: {written}}}}}}}\n")
    assert loaded.services["s"].ports[name].scheme == scheme


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("", ("s",)),
        ("replicas: 1", ("s.0",)),
        ("replicas: 3", ("s.0", "s.1", "s.2")),
        ("replicas: 0", ()),
        ("enabled: false", ()),
    ],
)
def test_replicas_have_numbers_where_replicas_is_written(load_text: Load, written: str, names: tuple[str, ...]) -> None:
    service = load_text(f"services: {{s: {{command: [s], {written}}}}}\n").services["s"]
    assert service.replica_names() == names
    assert service.enabled is bool(names)


def test_replicas_that_come_out_null_are_not_written(load_text: Load) -> None:
    service = load_text("services: {s: {command: [s], replicas: '{{ 3 if false }}'}}\n").services["s"]
    assert service.replica_names() == ("s",)


@pytest.mark.parametrize("written", ['"2"', "2.0", "true", "-1", "[1]"])
def test_replicas_are_a_whole_number(refused: Refused, written: str) -> None:
    (finding,) = refused(f"services: {{s: {{command: [s], replicas: {written}}}}}\n")
    assert "'replicas' must be" in finding


def test_disabled_services_are_dropped_from_depends_on(load_text: Load) -> None:
    text = """
        vars: {with_db: false}
        services:
          db: {command: [db], enabled: "{{ vars.with_db }}"}
          none: {command: [n], replicas: 0}
          up: {command: [up]}
          a: {command: [a], depends_on: [db, none, up]}
          b: {command: [b], depends_on: {db: started, up: started}}
    """
    services = load_text(text).services
    assert services["a"].depends_on == {"up": None}
    assert services["b"].depends_on == {"up": "started"}
    assert load_text(text, sets={"with_db": "true"}).services["a"].depends_on == {"db": None, "up": None}


def test_dependencies_may_be_templates_that_vanish_or_become_several(load_text: Load) -> None:
    text = """
        vars: {all: [x, y], tls: false}
        services:
          x: {command: [x]}
          y: {command: [y]}
          a:
            command: [a]
            depends_on: ["{{ vars.all }}"]
          b:
            command: [b]
            depends_on: ["{{ 'x' if vars.tls }}", "{{ services.y.name if services.y.enabled }}"]
    """
    services = load_text(text).services
    assert services["a"].depends_on == {"x": None, "y": None}
    assert services["b"].depends_on == {"y": None}


def test_a_circle_through_a_disabled_service_is_none(load_text: Load) -> None:
    text = "services: {a: {command: [a], depends_on: [b]}, b: {command: [b], depends_on: [a], enabled: false}}\n"
    assert load_text(text).services["a"].depends_on == {}


@pytest.mark.parametrize(
    ("written", "endpoint"),
    [
        ("{url: 'https://models.test/v1/'}", Endpoint("http", "https", "models.test", 443, "/v1")),
        ("{url: 'http://[::1]:8000'}", Endpoint("http", "http", "::1", 8000)),
        ("{ports: {http: 8000}}", Endpoint("http", "http", "127.0.0.1", 8000)),
        ("{ports: {http: '8000'}}", Endpoint("http", "http", "127.0.0.1", 8000)),
        ("{ports: {http: 'box:8000'}}", Endpoint("http", "http", "box", 8000)),
        ("{ports: {http: '[::1]:8000'}}", Endpoint("http", "http", "::1", 8000)),
        ("{ports: {http: 'https://box:8000/a'}}", Endpoint("http", "https", "box", 8000, "/a")),
    ],
)
def test_places_to_attach_to(load_text: Load, written: str, endpoint: Endpoint) -> None:
    text = f"services: {{s: {{ports: {{http: auto}}, attach: {written}}}}}\n"
    assert load_text(text).services["s"].attached == {"http": (endpoint,)}


def test_attach_that_is_null_starts_the_service(load_text: Load) -> None:
    text = """
        services:
          s:
            command: [s]
            ports: {http: auto}
            attach: "{{ {'url': env.WARM} if 'WARM' in env }}"
    """
    assert load_text(text).services["s"].attached is None
    attached = load_text(text, environ={"WARM": "http://box:1"}).services["s"].attached
    assert attached == {"http": (Endpoint("http", "http", "box", 1),)}


def test_fixed_ports_of_disabled_and_attached_services_do_not_clash(load_text: Load) -> None:
    loaded = load_text("""
        services:
          a: {command: [a], ports: {http: 9000}}
          b: {command: [b], ports: {http: 9000}, enabled: false}
          c: {attach: {ports: {http: 9000}}, ports: {http: 9000}}
    """)
    assert len(loaded.services) == 3


def test_extensions_are_ignored_wherever_envspec_decides_what_keys_exist(load_text: Load) -> None:
    loaded = load_text("""
        x-common: &common
          stop: {signal: INT, x-why: it says so}
        x-anything: [1, {a: b}]
        ports: {range: 20000-20099, x-owner: me}
        models: {chat: {synthetic: {architecture: qwen3}, x-note: tiny}, x-more: {}}
        services:
          x-template: {nonsense: true}
          s: {<<: *common, command: [s], x-team: infra, ports: {http: {count: 2, x-why: base and rank}}}
    """)
    assert list(loaded.services) == ["s"]
    assert list(loaded.models) == ["chat"]


def test_models_have_their_key_as_name_unless_they_say_another(load_text: Load) -> None:
    models = load_text("""
        models:
          chat: {synthetic: {architecture: qwen3}}
          named: {synthetic: {architecture: llama, layers: 2}, name: acme/tiny, preload: false}
    """).models
    assert [(model.served_name, model.preload) for model in models.values()] == [("chat", True), ("acme/tiny", False)]
    assert models["named"].options["layers"] == 2


def test_sizes_of_a_model_that_do_not_fit_are_told_at_a_size_that_is_written(refused: Refused) -> None:
    (finding,) = refused("models:\n  a: {synthetic: {architecture: qwen3, kv_heads: 3}}\n")
    assert finding == "2:50 wrong-value: heads (2) must be a multiple of kv_heads (3)"


def test_a_fixed_block_needs_room_below_its_limit(refused: Refused) -> None:
    (finding,) = refused("services: {s: {command: [s], ports: {a: {range: 65535, count: 2}}}}\n")
    assert "range-too-small: port 65536 is above 65535" in finding


def test_more_replicas_than_a_machine_can_run_are_refused_at_once(refused: Refused) -> None:
    (finding,) = refused("services: {s: {command: [s], ports: {http: auto}, replicas: 20000}}\n")
    assert "'replicas' must be at most 1000, not 20000" in finding


@pytest.mark.parametrize("name", ["x" * 5000, f"./{'x' * 5000}.yaml", "./a\\0b.yaml", "..", "/"])
def test_an_entry_that_no_file_can_be_is_not_found(refused: Refused, name: str) -> None:
    (finding,) = refused(f'services: {{s: {{use: "{name}"}}}}\n')
    assert "unknown-entry" in finding or "no-such-file" in finding


def test_keys_of_ones_own_are_ignored_in_every_mapping_of_known_keys(load_text: Load) -> None:
    environment = load_text(
        """\
        x-top: 1
        requires: {x-a: 1}
        ports: {x-b: 1}
        models: {m: {x-c: 1, synthetic: {x-d: 1, architecture: qwen3}}}
        services:
          a:
            x-e: 1
            command: [x]
            ports: {p: {x-f: 1}}
            health:
              - http: {port: p, x-g: 1, tls: {x-h: 1, insecure: true}, headers: {x-request: kept}, json: {x-i: 1}}
              - {x-j: 1, tcp: {port: p, x-k: 1}}
            stop: {x-l: 1}
        """
    )
    plan = resolve(environment, stand_in(environment), {})
    http, tcp = plan.services[0].replicas[0].health
    assert tcp.kind == "tcp"
    assert (http.fields["headers"], http.fields["json"]) == ({"x-request": "kept"}, {"x-i": 1})
