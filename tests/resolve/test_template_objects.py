"""What templates see: services and their replicas, ports and endpoints, models, session and project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from envspec.plan.plan import Plan
from envspec.resolve import port_requests, resolve, stand_in
from envspec.spec.environment import Environment
from envspec.spec.load import load

PlanText = Callable[..., Plan]
Refused = Callable[..., list[str]]

STACK = """
    models: {chat: {synthetic: {architecture: qwen3}, name: acme/tiny}}
    services:
      one: {command: [one], ports: {http: 9000, kv: {range: 9100, count: 2}, admin: {range: 9200, count: 1}}}
      many: {command: [many], ports: {grpc: auto}, replicas: 2}
      off: {command: [off], ports: {http: auto}, enabled: false}
      far: {attach: {url: "https://far.test/v1"}, ports: {api: auto}}
      look: {command: [look, EXPRESSION], ports: {http: 9300}, replicas: 1}
"""


def seen(plan_text: PlanText, expression: str) -> str:
    plan = plan_text(STACK.replace("EXPRESSION", f'"{{{{ {expression} }}}}"'), environ={"X": "1"})
    return next(found.argv[1] for found in plan.replicas if found.service == "look")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("services.one.ports.http", "9000"),
        ("services.one.ports.kv | join(' ')", "9100 9101"),
        ("services.one.ports.admin[0]", "9200"),
        ("services.one.addresses.http", "127.0.0.1:9000"),
        ("services.one.endpoints.http", "http://127.0.0.1:9000"),
        ("services.one.endpoints.kv[1]", "tcp://127.0.0.1:9101"),
        ("services.one.replicas[0].name ~ services.one.name ~ services.one.index", "oneone0"),
        ("services.many.replicas | map(attribute='addresses.grpc') | join(',')", "127.0.0.1:20000,127.0.0.1:20001"),
        ("services.many.replicas[1].endpoints.grpc", "grpc://127.0.0.1:20001"),
        ("services.many.replicas[1].name", "many.1"),
        ("services.off.enabled ~ services.off.replicas | length", "false0"),
        ("services.off.ports.http if services.off.enabled else 'none'", "none"),
        ("services.far.endpoints.api", "https://far.test:443/v1"),
        ("services.far.host", "far.test"),
        ("models.chat.name ~ ' ' ~ models.chat.path", "acme/tiny /envspec/models/chat"),
        ("replica.name ~ replica.index ~ replica.host", "look.00127.0.0.1"),
        ("replica.dir", "/envspec/sessions/env-00000/replicas/look.0"),
        ("service.replicas | length", "1"),
        ("ports.http ~ addresses.http ~ endpoints.http", "9300127.0.0.1:9300http://127.0.0.1:9300"),
        ("gpus | length ~ replica.gpus | length", "00"),
        ("session.id ~ ' ' ~ session.dir", "env-00000 /envspec/sessions/env-00000"),
        ("services | length", "5"),
    ],
)
def test_templates_see_the_whole_environment(plan_text: PlanText, expression: str, value: str) -> None:
    assert seen(plan_text, expression) == value


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("services.off.ports.http", "the service 'off' is not enabled"),
        ("services.many.ports.grpc", "the service 'many' has replicas, each with its own"),
        ("services.look.ports.http", "the service 'look' has replicas, each with its own"),
        ("services.nope.ports.http", "services has no 'nope'"),
        ("services.one.ports.nope", "services.one.ports has no 'nope'"),
        ("models.nope.path", "models has no 'nope'"),
        ("vars.nope", "vars has no 'nope'"),
        ("env.NOPE", "env has no 'NOPE'"),
        ("matrix.plane", "matrix has no 'plane'"),
        ("session.nope", "session has no 'nope'"),
        ("nope", "there is no 'nope' here"),
        ("services.many.replicas[2].name", "services.many.replicas has 2 items"),
        ("services.nope.ports.http if false", "services has no 'nope'"),
        ("ports.nope if vars.x is defined", "ports has no 'nope'"),
    ],
)
def test_what_is_not_there_is_told_where_it_is_named(refused: Refused, expression: str, message: str) -> None:
    (finding,) = refused(STACK.replace("EXPRESSION", f'"{{{{ {expression} }}}}"'))
    assert message in finding


@pytest.mark.parametrize(
    "expression",
    [
        "services.nope.ports.http if services.nope is defined",
        "ports.nope | default(1)",
        "env.NOPE if false",
        "vars.x.y if vars.x is defined",
    ],
)
def test_asking_first_is_no_mistake(plan_text: PlanText, expression: str) -> None:
    assert seen(plan_text, f"({expression}) or 1") == "1"


def test_naming_a_model_is_the_dependency(plan_text: PlanText) -> None:
    plan = plan_text("""
        vars: {which: b, tls: false}
        models:
          a: {synthetic: {architecture: qwen3}}
          b: {synthetic: {architecture: llama}}
          c: {synthetic: {architecture: qwen2}}
        services:
          named: {command: [x, "{{ models.a.path }}"]}
          computed: {command: [x, "{{ models[vars.which].path }}"]}
          behind: {command: [x, "{{ models.a.path if vars.tls }}"]}
          unnamed: {command: [x], models: [c, a]}
          none: {command: [x]}
    """)
    assert {service.name: service.models for service in plan.services} == {
        "named": ("a",),
        "computed": ("b",),
        "behind": (),
        "unnamed": ("a", "c"),
        "none": (),
    }


def environment(tmp_path: Path, text: str) -> Environment:
    (tmp_path / "env.yaml").write_text(text)
    return load(tmp_path / "env.yaml", environ={})


def test_every_port_of_every_replica_to_be_started_is_asked_for(tmp_path: Path) -> None:
    loaded = environment(
        tmp_path,
        "ports: {host: 0.0.0.0}\n"
        "services:\n"
        "  a: {command: [a], replicas: 2, ports: {x: {count: 3, max: 32767, hold: release}}}\n"
        "  b: {command: [b], ports: {x: 9000}}\n"
        "  off: {command: [c], ports: {x: auto}, enabled: false}\n"
        "  far: {attach: {ports: {x: 1}}, ports: {x: auto}}\n",
    )
    first, second, fixed = port_requests(loaded)
    assert (first.replica, first.port, first.host, first.count, first.max, first.hold) == (
        *("a.0", "x", "0.0.0.0", 3, 32767, "release"),
    )
    assert second.replica == "a.1"
    assert (fixed.replica, fixed.fixed, fixed.ranges) == ("b", 9000, ())
    assert first.position == f"{tmp_path / 'env.yaml'}:3:45"


def test_stand_in_ports_are_in_their_ranges_and_all_different(tmp_path: Path) -> None:
    loaded = environment(
        tmp_path,
        "ports: {range: 20000-20005}\nservices:\n"
        "  a: {command: [a], replicas: 3, ports: {x: {count: 2}, z: {range: 300-310, count: 3}}}\n",
    )
    bindings = stand_in(loaded)
    numbers = [number for ports in bindings.ports.values() for block in ports.values() for number in block]
    assert len(set(numbers)) == len(numbers) == 15
    assert bindings.ports["a.0"] == {"x": (20000, 20001), "z": (300, 301, 302)}


def test_a_host_to_listen_on_is_reached_where_it_can_be(tmp_path: Path) -> None:
    loaded = environment(
        tmp_path,
        "ports: {host: 0.0.0.0}\n"
        "services: {a: {command: [a, '{{ replica.host }} {{ addresses.x }}'], ports: {x: 9000}}}\n",
    )
    (replica,) = resolve(loaded, stand_in(loaded), {}).replicas
    assert replica.argv[1] == "0.0.0.0 127.0.0.1:9000"


def test_bindings_are_taken_as_they_come(tmp_path: Path) -> None:
    service = "{command: [a, '{{ session.tmp }}', '{{ ports.x }}'], ports: {x: {hold: release}}}"
    loaded = environment(tmp_path, f"services: {{a: {service}}}\n")
    bindings = replace(stand_in(loaded), tmp="/t", directory="/d", session="env-abc12", ports={"a": {"x": (4711,)}})
    (replica,) = resolve(loaded, bindings, {}).replicas
    assert replica.argv == ("a", "/t", "4711")
    assert (replica.dir, replica.log) == ("/d/replicas/a", "/d/logs/a.log")
    assert (replica.ports, replica.release) == ({"x": (4711,)}, (4711,))


@pytest.mark.parametrize(
    ("place", "addresses"),
    [
        ("5000", ["127.0.0.1:5000", "127.0.0.1:5001", "127.0.0.1:5002"]),
        ("far:5000", ["far:5000", "far:5001", "far:5002"]),
        ("[5000, 'far:6000', 7000]", ["127.0.0.1:5000", "far:6000", "127.0.0.1:7000"]),
    ],
)
def test_an_attached_port_with_a_count_is_a_list_as_well(
    plan_text: Callable[..., Plan], place: str, addresses: list[str]
) -> None:
    plan = plan_text(f"""
        services:
          kv:
            attach: {{ports: {{kv: {place}}}}}
            ports: {{kv: {{count: 3}}, other: auto}}
            health: [tcp: {{port: kv}}]
          user: {{command: [run, "{{{{ services.kv.addresses.kv }}}}"]}}
        """)
    kv, user = plan.services
    assert list(user.replicas[0].argv) == ["run", *addresses]
    assert [endpoint.address for endpoint in kv.replicas[0].health[0].endpoints] == addresses
