"""Catalog entries: typed inputs, objects for models and services, what they may see, and what they require."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from envspec.errors import SpecError
from envspec.resolve import check, resolve, stand_in
from envspec.spec.catalog import SHIPPED, read_entry, shipped_names
from envspec.spec.environment import Environment
from envspec.spec.findings import Findings
from envspec.spec.load import load

Load = Callable[..., Environment]
Refused = Callable[..., list[str]]

ENTRY = """
    description: An entry for tests.
    extra: local
    inputs:
      text: {type: string, default: "1.10"}
      number: {type: int, default: 3}
      ratio: {type: float, default: 1}
      flag: {type: bool, default: false}
      list: {type: list, default: [a]}
      map: {type: map, default: {k: v}}
      chat: {type: model, default: null}
      peer: {type: service, default: etcd}
    requires: {commands: ["{{ 'big' if inputs.flag else 'small' }}"], modules: [json], memory: 1GiB}
    service:
      command:
        - run
        - "{{ inputs.text }}"
        - "{{ inputs.number }}"
        - "{{ inputs.ratio }}"
        - "{{ inputs.flag }}"
        - "{{ inputs.list }}"
        - "{{ inputs.chat.path if inputs.chat }}"
        - "{{ inputs.peer.endpoints.client if inputs.peer }}"
        - "{{ replica.name }}"
      ports: {http: auto}
      depends_on: ["{{ inputs.peer.name if inputs.peer }}"]
"""


def argv(load_text: Load, text: str, service: str = "s") -> list[str]:
    environment = load_text(text, files={"entry.yaml": ENTRY})
    plan = resolve(environment, stand_in(environment), {})
    (replica,) = next(planned for planned in plan.services if planned.name == service).replicas
    return list(replica.argv)


def test_defaults_apply_and_a_service_default_is_null_where_there_is_no_such_service(load_text: Load) -> None:
    assert argv(load_text, "services: {s: {use: ./entry.yaml}}\n") == ["run", "1.10", "3", "1", "false", "a", "s"]


def test_given_values_are_typed_and_text_is_as_written(load_text: Load) -> None:
    given = "{text: 0.90, number: 7, ratio: 0.5, flag: true, list: [x, y]}"
    assert argv(load_text, f"services: {{s: {{use: ./entry.yaml, with: {given}}}}}\n") == [
        *("run", "0.90", "7", "0.5", "true", "x", "y", "s")
    ]


def test_a_null_input_takes_its_default(load_text: Load) -> None:
    text = "vars: {n: null}\nservices: {s: {use: ./entry.yaml, with: {number: null, text: '{{ vars.n }}'}}}\n"
    assert argv(load_text, text)[1:3] == ["1.10", "3"]


def test_all_values_together_may_be_a_template_whose_values_are_none_any_more(load_text: Load) -> None:
    text = """
        vars: {given: {text: !raw "{{ kept }}", number: 7}}
        services: {s: {use: ./entry.yaml, with: "{{ vars.given }}"}}
    """
    assert argv(load_text, text)[1:3] == ["{{ kept }}", "7"]


def test_model_and_service_inputs_take_a_name_and_give_the_object(load_text: Load) -> None:
    text = """
        models: {chat: {synthetic: {architecture: qwen3}}}
        services:
          kv: {command: [etcd], ports: {client: {range: 9000, scheme: http}}}
          s: {use: ./entry.yaml, with: {chat: chat, peer: kv}}
    """
    environment = load_text(text, files={"entry.yaml": ENTRY})
    plan = resolve(environment, stand_in(environment), {})
    planned = plan.services[1]
    assert planned.replicas[0].argv[-3:] == ("/envspec/models/chat", "http://127.0.0.1:9000", "s")
    assert planned.models == ("chat",)
    assert planned.depends_on == {"kv": "started"}


def test_a_default_service_that_is_there_is_found_and_one_that_is_disabled_is_null(load_text: Load) -> None:
    text = "services:\n  etcd: {command: [etcd], ports: {client: 9000}, enabled: ENABLED}\n  s: {use: ./entry.yaml}\n"
    assert argv(load_text, text.replace("ENABLED", "true"))[-2:] == ["tcp://127.0.0.1:9000", "s"]
    assert argv(load_text, text.replace("ENABLED", "false"))[-2:] == ["a", "s"]


def test_naming_a_disabled_service_is_refused(tmp_path: Path) -> None:
    (tmp_path / "entry.yaml").write_text(
        "inputs: {peer: {type: service}}\nservice: {command: ['{{ inputs.peer.name }}']}\n"
    )
    file = tmp_path / "env.yaml"
    file.write_text("services:\n  kv: {command: [a], enabled: false}\n  s: {use: ./entry.yaml, with: {peer: kv}}\n")
    assert [found.code for found in check(file, environ={})] == ["disabled-service"]


def test_values_are_evaluated_in_the_callers_scope_where_the_entry_uses_them(load_text: Load) -> None:
    text = """
        vars: {x: from vars}
        services:
          other: {command: [o], ports: {http: 9001}}
          s: {use: ./entry.yaml, with: {text: "{{ vars.x }} {{ services.other.ports.http }} {{ replica.index }}"}}
    """
    assert argv(load_text, text)[1] == "from vars 9001 0"


def test_a_value_that_names_ports_can_be_used_in_text_beside_shape_keys_that_use_others(load_text: Load) -> None:
    entry = """
        inputs: {count: {type: int, default: 1}, url: {type: string}}
        service: {command: [x, "{{ inputs.url }}"], replicas: "{{ inputs.count }}", depends_on: []}
    """
    text = """
        services:
          a: {command: [a], ports: {http: 9001}}
          s: {use: ./e.yaml, with: {count: 2, url: "{{ services.a.endpoints.http }}"}}
    """
    environment = load_text(text, files={"e.yaml": entry})
    replicas = resolve(environment, stand_in(environment), {}).services[1].replicas
    assert [replica.argv for replica in replicas] == [("x", "http://127.0.0.1:9001")] * 2


def test_the_users_keys_lie_over_the_entrys_and_render_in_their_own_scope(load_text: Load) -> None:
    entry = """
        inputs: {level: {type: string, default: info}}
        service:
          command: [x]
          env: {LEVEL: "{{ inputs.level }}", HOST: "{{ replica.host }}", GONE: "1"}
          ports: {http: auto, admin: auto}
    """
    text = """
        vars: {level: debug}
        services:
          s:
            use: ./e.yaml
            args: [--more, "{{ vars.level }}"]
            env: {HOST: "{{ vars.level }}", GONE: null}
            ports: {admin: 9100}
    """
    environment = load_text(text, files={"e.yaml": entry})
    (replica,) = resolve(environment, stand_in(environment), {}).services[0].replicas
    assert replica.argv == ("x", "--more", "debug")
    assert (replica.env["LEVEL"], replica.env["HOST"], replica.env.get("GONE")) == ("info", "debug", None)
    assert replica.ports["admin"] == (9100,)


def test_an_entry_sees_nothing_of_the_environment_but_its_inputs(tmp_path: Path) -> None:
    for name in ("vars.a", "env.HOME", "models.chat.path", "services.s.name", "matrix.a"):
        (tmp_path / "e.yaml").write_text(f"service: {{command: [x, '{{{{ {name} }}}}']}}\n")
        (tmp_path / "env.yaml").write_text("vars: {a: 1}\nservices: {s: {use: ./e.yaml}}\n")
        (found,) = check(tmp_path / "env.yaml", environ={"HOME": "/"})
        assert found.code == "out-of-scope"
        assert found.file.endswith("e.yaml")


def test_requirements_of_entries_are_joined_and_know_extra_and_service(load_text: Load) -> None:
    text = """
        requires: {commands: [git, small], memory: 512MiB, disk: 2GiB, env: [HF_TOKEN]}
        services:
          a: {use: ./entry.yaml}
          b: {use: ./entry.yaml, with: {flag: true, peer: a}}
          off: {use: ./entry.yaml, enabled: false}
          elsewhere: {use: ./entry.yaml, attach: {ports: {http: 1234}}}
    """
    requires = load_text(text, files={"entry.yaml": ENTRY}).requires
    assert requires.commands == ("git", "small", "big")
    assert (requires.modules, requires.env) == (("json",), ("HF_TOKEN",))
    assert (requires.memory, requires.disk) == (2**30, 2 * 2**30)
    assert requires.extras == {"small": "local", "big": "local", "json": "local"}
    assert requires.needed_by == {"small": ("a",), "big": ("b",), "json": ("a", "b")}


def test_a_missing_command_of_an_entry_names_the_extra_that_provides_it(load_text: Load) -> None:
    environment = load_text("services: {s: {use: ./entry.yaml}}\n", files={"entry.yaml": ENTRY})
    (replica,) = resolve(environment, stand_in(environment), {}).services[0].replicas
    assert replica.hint == "pip install 'envspec[local]'"


def test_use_may_be_a_template_and_null(load_text: Load) -> None:
    text = """
        vars: {entry: "./entry.yaml"}
        services: {s: {use: "{{ vars.entry }}"}, t: {use: "{{ none }}", command: [t]}}
    """
    loaded = load_text(text, files={"entry.yaml": ENTRY})
    assert [service.entry is not None for service in loaded.services.values()] == [True, False]


def test_an_entry_is_relative_to_the_file_that_uses_it(load_text: Load) -> None:
    files = {"shared/base.yaml": "services: {s: {use: ./e.yaml}}\n", "shared/e.yaml": "service: {command: [x]}\n"}
    assert load_text("extends: shared/base.yaml\n", files=files).services["s"].entry is not None


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_entries_are_well_formed(name: str) -> None:
    findings = Findings()
    entry = read_entry(SHIPPED / f"{name}.yaml", findings)
    assert findings.in_order() == []
    assert entry is not None
    assert entry.description


def test_an_entry_that_is_no_mapping_is_refused_once(tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text("- a\n")
    (tmp_path / "env.yaml").write_text("services: {a: {use: ./e.yaml}, b: {use: ./e.yaml}}\n")
    with pytest.raises(SpecError) as caught:
        load(tmp_path / "env.yaml", environ={})
    assert [found.code for found in caught.value.diagnostics] == ["not-a-mapping"]


EXTRAS = """
    extra: "{{ 'small' if inputs.light else 'large' }}"
    inputs: {light: {type: bool, default: false}}
    requires: {modules: [nowhere.to_be.found]}
    service: {command: [run]}
"""


@pytest.mark.parametrize(("given", "extra"), [("{}", "large"), ("{light: true}", "small")])
def test_inputs_choose_the_extra_that_hints_name(load_text: Load, given: str, extra: str) -> None:
    environment = load_text(f"services: {{s: {{use: ./entry.yaml, with: {given}}}}}", files={"entry.yaml": EXTRAS})
    plan = resolve(environment, stand_in(environment), {})
    assert environment.requires.extras == {"nowhere.to_be.found": extra}
    assert plan.replicas[0].hint == f"pip install 'envspec[{extra}]'"


def test_an_extra_that_hangs_on_what_comes_later_is_told_as_soon_as_it_is_known(load_text: Load) -> None:
    text = """
        services:
          other: {command: [run], ports: {http: auto}}
          s: {use: ./entry.yaml, with: {light: "{{ services.other.ports.http > 0 }}"}}
          own: {use: ./entry.yaml, with: {light: "{{ replica.index == 0 }}"}}
    """
    environment = load_text(text, files={"entry.yaml": EXTRAS})
    plan = resolve(environment, stand_in(environment), {})
    assert environment.requires.extras == {}
    assert [replica.hint for replica in plan.replicas] == ["", "pip install 'envspec[small]'", ""]


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("{{ inputs.lite }}", "inputs has no 'lite'"),
        ("{{ ports.http }}", "'extra' decides the service's shape before ports are leased, where there is no 'ports'"),
        ("{{ inputs.light }}", "'extra' must be text"),
    ],
)
def test_an_extra_that_cannot_be_told_is_refused_where_the_entry_says_it(
    load_text: Load, extra: str, said: str
) -> None:
    entry = EXTRAS.replace("{{ 'small' if inputs.light else 'large' }}", extra)
    with pytest.raises(SpecError) as caught:
        load_text("services: {s: {use: ./entry.yaml}}", files={"entry.yaml": entry})
    (found,) = caught.value.diagnostics
    assert (Path(found.file).name, found.line) == ("entry.yaml", 2)
    assert said in found.message
