"""Layers: an extended file under its extender, an entry under its user, and null takes away."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from envspec.spec.environment import Environment, Service
from envspec.spec.nodes import MapNode, plain_data

Load = Callable[..., Environment]
Refused = Callable[..., list[str]]

BASE = """
    description: base
    vars: {a: 1, b: 2}
    env: {LEVEL: info, PROXY: none}
    ports: {host: 127.0.0.1, range: 21000-21999, ranges: {low: 1000-1999}}
    requires: {commands: [git], env: [HOME]}
    models: {chat: {synthetic: {architecture: qwen3}}, old: {synthetic: {architecture: llama}}}
    services:
      web:
        command: [web, --verbose]
        env: {A: "1", B: "2"}
        ports: {http: auto, admin: 9000}
        files: {a.txt: a, b.txt: b}
        depends_on: [db, cache]
        health: [tcp: {port: http}]
        stop: {signal: INT, timeout: 5s}
      db: {command: [db]}
      cache: {command: [cache]}
"""


def written(service: Service) -> dict[str, object]:
    data = plain_data(service.tree)
    assert isinstance(data, dict)
    return data


def extended(load_text: Load, text: str) -> Environment:
    return load_text(f"extends: ./base.yaml\n{text}", files={"base.yaml": BASE})


def test_top_maps_merge_by_key_and_other_values_replace(load_text: Load) -> None:
    loaded = extended(load_text, "description: mine\nvars: {b: 3, c: 4}\nports: {range: 22000-22999}\n")
    assert loaded.description == "mine"
    assert loaded.vars == {"a": 1, "b": 3, "c": 4}
    assert loaded.services["web"].ports["http"].ranges == ((22000, 22999),)
    assert list(loaded.services) == ["web", "db", "cache"]
    assert loaded.requires.commands == ("git",)


def test_services_merge_key_by_key_and_their_maps_one_level_deep(load_text: Load) -> None:
    web = extended(
        load_text,
        "services: {web: {env: {B: '3', C: '4'}, ports: {admin: 9001}, files: {b.txt: bb}, stop: {timeout: 9s}}}\n",
    ).services["web"]
    assert written(web)["env"] == {"A": "1", "B": "3", "C": "4"}
    assert written(web)["files"] == {"a.txt": "a", "b.txt": "bb"}
    assert web.ports["admin"].fixed == 9001
    assert web.ports["http"].ranges == ((21000, 21999),)
    assert written(web)["stop"] == {"timeout": "9s"}  # replaced, not merged: `stop` is no merged map


def test_null_takes_away_a_key_an_entry_of_a_map_and_a_service(load_text: Load) -> None:
    loaded = extended(
        load_text,
        "models: {old: null}\n"
        "requires: {commands: null}\n"
        "services: {cache: null, web: {health: null, ports: {admin: null}, depends_on: {cache: null}}}\n",
    )
    web = loaded.services["web"]
    assert list(loaded.models) == ["chat"]
    assert loaded.requires.commands == ()
    assert loaded.requires.env == ("HOME",)
    assert list(loaded.services) == ["web", "db"]
    assert "health" not in written(web)
    assert list(web.ports) == ["http"]
    assert web.depends_on == {"db": None}


def test_a_var_that_is_null_stays_declared(load_text: Load) -> None:
    assert extended(load_text, "vars: {a: null}\n").vars == {"a": None, "b": 2}


def test_command_and_shell_displace_each_other(load_text: Load) -> None:
    by_shell = written(extended(load_text, "services: {web: {shell: run}}\n").services["web"])
    assert (by_shell.get("command"), by_shell["shell"]) == (None, "run")
    files = {"base.yaml": "services: {web: {shell: run}}\n"}
    back = load_text("extends: ./base.yaml\nservices: {web: {command: [a]}}\n", files=files).services["web"]
    assert (written(back)["command"], written(back).get("shell")) == (["a"], None)


def test_a_list_of_dependencies_counts_as_the_mapping_it_is_short_for(load_text: Load) -> None:
    over_list = extended(load_text, "services: {web: {depends_on: {db: started}}}\n").services["web"]
    assert over_list.depends_on == {"db": "started", "cache": None}
    files = {
        "base.yaml": "services: {a: {command: [a], depends_on: {b: started}}, b: {command: [b]}, c: {command: [c]}}\n"
    }
    over_map = load_text("extends: ./base.yaml\nservices: {a: {depends_on: [c]}}\n", files=files).services["a"]
    assert over_map.depends_on == {"b": "started", "c": None}


def test_layers_are_merged_as_written_before_templates_are_rendered(load_text: Load) -> None:
    files = {"base.yaml": "vars: {n: 1}\nservices: {a: {command: [a], replicas: '{{ vars.n }}'}}\n"}
    assert load_text("extends: ./base.yaml\nvars: {n: 3}\n", files=files).services["a"].replicas == 3


def test_files_may_extend_over_several_steps_and_folders(load_text: Load) -> None:
    files = {
        "deep/root.yaml": "vars: {a: root, b: root, c: root}\n",
        "deep/middle.yaml": "extends: root.yaml\nvars: {b: middle, c: middle}\n",
    }
    assert load_text("extends: deep/middle.yaml\nvars: {c: mine}\n", files=files).vars == {
        "a": "root",
        "b": "middle",
        "c": "mine",
    }


def test_the_same_entry_can_be_given_other_inputs_by_an_extending_file(load_text: Load) -> None:
    files = {
        "entry.yaml": "inputs: {a: {type: int, default: 1}, b: {type: int, default: 1}}\n"
        "service: {command: [x], replicas: '{{ inputs.a + inputs.b }}'}\n",
        "base.yaml": "services: {s: {use: ./entry.yaml, with: {a: 2, b: 5}}}\n",
    }
    loaded = load_text("extends: ./base.yaml\nservices: {s: {with: {b: null}}}\n", files=files)
    assert loaded.services["s"].replicas == 3


def test_null_over_a_base_takes_away_from_the_entry_as_well(load_text: Load) -> None:
    files = {
        "entry.yaml": "service: {command: [x], ports: {http: auto, admin: auto}, health: [tcp: {port: http}]}\n",
        "base.yaml": "services: {s: {use: ./entry.yaml}}\n",
    }
    loaded = load_text("extends: base.yaml\nservices: {s: {health: null, ports: {admin: null}}}\n", files=files)
    assert "health" not in written(loaded.services["s"])
    assert list(loaded.services["s"].ports) == ["http"]


def test_positions_stay_those_of_the_file_that_wrote_a_value(load_text: Load) -> None:
    web = extended(load_text, "services: {web: {env: {B: '3'}}}\n").services["web"]
    env = web.tree.get("env")
    assert isinstance(env, MapNode)
    assert [key.mark.file.rpartition("/")[2] for key, _ in env.items] == ["base.yaml", "env.yaml"]


@pytest.mark.parametrize("extends", ["[a.yaml, b.yaml]", "{a: b}", "''", "5"])
def test_extends_is_one_path(refused: Refused, extends: str) -> None:
    (finding,) = refused(f"extends: {extends}\n")
    assert finding.startswith("1:10 wrong-type: extends is the path of one file")
