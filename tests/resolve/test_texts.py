"""Commands, environments and files: text as written, null as nothing, mappings as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from envspec.plan.plan import Plan, ReplicaPlan

PlanText = Callable[..., Plan]
Refused = Callable[..., list[str]]


def replica(plan: Plan, name: str = "s") -> ReplicaPlan:
    return next(found for found in plan.replicas if found.name == name)


@pytest.mark.parametrize("written", ["0.90", "1e-5", "yes", "010", "0x1F", "22:22", "on", "1_000", "~x", "true"])
def test_a_plain_scalar_is_its_text_as_written(plan_text: PlanText, written: str) -> None:
    keys = f"command: [s, {written}], args: [{written}], env: {{A: {written}}}, files: {{a: {written}}}"
    text = f"services: {{s: {{{keys}}}}}\n"
    found = replica(plan_text(text))
    assert (found.argv, found.env["A"], found.files["a"]) == (("s", written, written), written, written)


def test_computed_values_are_written_as_yaml_has_them(plan_text: PlanText) -> None:
    text = """
        vars: {flag: true, n: 3, f: 0.5, none: null, list: [a, {b: 1}], map: {a: "é", b: [1, null]}}
        services:
          s:
            command:
              [s, "{{ vars.flag }}", "{{ vars.n }}", "{{ vars.f }}", "{{ vars.none }}", "{{ vars.map }}",
                "{{ [1, 2] }}"]
            env:
              FLAG: "{{ not vars.flag }}"
              LIST: "{{ vars.list }}"
              MAP: {a: "{{ vars.n }}"}
              GONE: "{{ vars.none }}"
            files: {a.json: "{{ vars.map }}", b.json: [1, "{{ vars.flag }}"]}
    """
    found = replica(plan_text(text, environ={"GONE": "here"}))
    assert found.argv == ("s", "true", "3", "0.5", '{"a":"é","b":[1,null]}', "1", "2")
    assert found.env == {"FLAG": "false", "LIST": '["a",{"b":1}]', "MAP": '{"a":3}', "CUDA_VISIBLE_DEVICES": ""}
    assert found.files == {"a.json": '{"a":"é","b":[1,null]}', "b.json": "[1,true]"}


def test_a_mapping_in_a_command_is_compact_json_with_its_templates_rendered(plan_text: PlanText) -> None:
    text = """
        services:
          s:
            command: [s, --events, {publisher: zmq, endpoint: "tcp://*:{{ ports.kv }}", port: "{{ ports.kv }}"}]
            ports: {kv: 9000}
    """
    assert json.loads(replica(plan_text(text)).argv[2]) == {
        "publisher": "zmq",
        "endpoint": "tcp://*:9000",
        "port": 9000,
    }


def test_whole_expressions_vanish_or_become_several_arguments(plan_text: PlanText) -> None:
    text = """
        vars: {len: null, flags: [-a, -b]}
        services:
          s:
            command: [s, "{{ ['--max-model-len', vars.len] if vars.len }}", "{{ vars.flags }}", ""]
    """
    assert replica(plan_text(text)).argv == ("s", "-a", "-b", "")
    assert replica(plan_text(text, sets={"len": "10"})).argv == ("s", "--max-model-len", "10", "-a", "-b", "")


def test_an_argument_that_is_null_as_written_is_refused(refused: Refused) -> None:
    (finding,) = refused("services: {s: {command: [s, null]}}\n")
    assert finding == "1:29 wrong-type: item 2 of 'command' must be text, not null"


def test_args_are_appended_and_shell_is_run_by_bash(plan_text: PlanText) -> None:
    plan = plan_text("""
        services:
          a: {command: [a, 1], args: [-x, 2]}
          b: {shell: "run | tee {{ replica.name }}"}
    """)
    assert replica(plan, "a").argv == ("a", "1", "-x", "2")
    assert replica(plan, "b").argv == ("bash", "-eo", "pipefail", "-c", "run | tee b")


def test_paths_are_relative_to_the_file_that_wrote_them_and_argv_is_not_touched(
    plan_text: PlanText, tmp_path: Path
) -> None:
    files = {
        "shared/base.yaml": "services: {s: {command: [./run.sh, ../x], cwd: work, env_file: [a.env, b.env]}}\n",
        "shared/a.env": "A=1\nB=1\n",
        "shared/b.env": "B=2\n",
    }
    found = replica(plan_text("extends: shared/base.yaml\n", files=files))
    assert found.argv == ("./run.sh", "../x")
    assert found.cwd == str(tmp_path / "shared" / "work")
    assert (found.env["A"], found.env["B"]) == ("1", "2")


def test_without_cwd_a_replica_runs_in_its_own_directory(plan_text: PlanText) -> None:
    found = replica(plan_text("services: {s: {command: [s, '{{ replica.dir }}'], replicas: 1}}\n"), "s.0")
    assert found.cwd == found.dir == found.argv[1] == "/envspec/sessions/env-00000/replicas/s.0"
    assert found.log == "/envspec/sessions/env-00000/logs/s.0.log"


def test_raw_text_is_not_rendered(plan_text: PlanText) -> None:
    text = "services: {s: {command: [s, !raw '{{ x }}', '{% raw %}{{ y }}{% endraw %}', '$HOME', '{#']}}\n"
    assert replica(plan_text(text)).argv == ("s", "{{ x }}", "{{ y }}", "$HOME", "{#")


def test_block_scalars_keep_their_lines(plan_text: PlanText) -> None:
    text = """
        vars: {block: 16}
        services:
          s:
            command: [s]
            files:
              engine.yaml: |
                block_size: {{ vars.block }}
                {% for n in range(2) %}
                - {{ n }}
                {% endfor %}
    """
    assert replica(plan_text(text)).files["engine.yaml"] == "block_size: 16\n- 0\n- 1\n"


def test_a_number_is_its_text_in_the_text_fields_of_validators_and_in_cwd(plan_text: PlanText, tmp_path: Path) -> None:
    plan = plan_text(
        """
        vars: {n: 5}
        services:
          a:
            command: [x]
            replicas: 2
            cwd: "{{ replica.index }}"
            ports: {http: auto}
            health:
              - log: {match: "{{ replica.index }}"}
              - http: {port: http, path: "{{ vars.n }}", text: 404, body: 7, headers: {A: "{{ vars.n }}"}, tls: {ca: 1}}
        """
    )
    first, second = plan.services[0].replicas
    assert (first.cwd, second.cwd) == (str(tmp_path / "0"), str(tmp_path / "1"))
    assert [replica.health[0].fields["match"] for replica in (first, second)] == ["0", "1"]
    asked = first.health[1].fields
    assert [asked["path"], asked["text"], asked["body"], asked["headers"], asked["tls"]] == [
        "5", "404", "7", {"A": "5"}, {"ca": "1", "cert": None, "key": None, "insecure": False},
    ]  # fmt: skip


def test_a_mistake_that_replicas_share_is_told_once(refused: Refused) -> None:
    found = refused(
        """
        services:
          a: {command: [x], replicas: 3, start_timeout: "{{ replica.index }}", unset_env: ["{{ replica.index }}"]}
        """
    )
    assert [finding.split(": ")[0] for finding in found] == ["3:49 wrong-value", "3:84 wrong-type"]
