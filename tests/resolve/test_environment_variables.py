"""What a process has in its environment: inherited, top env, less unset_env, env_file, env."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from envspec.plan.plan import Plan
from envspec.resolve import check, search_path
from envspec.resolve.environ import inherited, read_env_file
from envspec.spec.check_formats import as_text

PlanText = Callable[..., Plan]
Refused = Callable[..., list[str]]

CALLER = {"HOME": "/h", "CUDA_HOME": "/cuda", "ETCD_NAME": "x", "ETCD_TTL": "1", "LEVEL": "caller"}


def variables(plan: Plan) -> Mapping[str, str]:
    return plan.replicas[0].env


def test_everything_is_inherited_and_gpus_are_hidden_from_services_without(plan_text: PlanText) -> None:
    caller = {**CALLER, "CUDA_VISIBLE_DEVICES": "0,1"}
    assert variables(plan_text("services: {s: {command: [s]}}\n", environ=caller)) == {
        **CALLER,
        "CUDA_VISIBLE_DEVICES": "",
    }


def test_inherit_env_restricts_by_patterns_and_a_services_own_replaces_the_environments(plan_text: PlanText) -> None:
    text = """
        inherit_env: [HOME, "CUDA_*"]
        services: {s: {command: [s]}}
    """
    assert set(variables(plan_text(text, environ=CALLER))) == {"HOME", "CUDA_HOME"}
    own = "inherit_env: [HOME]\nservices: {s: {command: [s], inherit_env: []}}\n"
    assert set(variables(plan_text(own, environ=CALLER))) == {"CUDA_VISIBLE_DEVICES"}


@pytest.mark.parametrize(
    ("caller", "seen"), [({"CUDA_VISIBLE_DEVICES": "3"}, "3"), ({"CUDA_VISIBLE_DEVICES": ""}, ""), ({}, None)]
)
def test_a_service_that_inherits_cuda_variables_sees_the_callers_gpus(
    plan_text: PlanText, caller: dict[str, str], seen: str | None
) -> None:
    text = """services: {s: {command: [s], inherit_env: ["CUDA_*"]}}\n"""
    assert variables(plan_text(text, environ=caller)).get("CUDA_VISIBLE_DEVICES") == seen


def test_each_layer_lies_over_the_one_before(plan_text: PlanText) -> None:
    text = """
        env: {LEVEL: top, ETCD_NAME: top, ETCD_URL: top, TOP: "{{ session.id }}", CUDA_HOME: null}
        services:
          s:
            command: [s]
            unset_env: ["ETCD_*"]
            env_file: ./s.env
            env: {OWN: "1", ETCD_TTL: "2", FILE_2: null}
    """
    files = {"s.env": "ETCD_NAME=file\nOWN=file\nFILE=1\nFILE_2=2\n"}
    assert variables(plan_text(text, environ=CALLER, files=files)) == {
        "HOME": "/h",
        "LEVEL": "top",
        "TOP": "env-00000",
        "ETCD_NAME": "file",
        "ETCD_TTL": "2",
        "FILE": "1",
        "OWN": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }


def test_null_takes_an_inherited_variable_away(plan_text: PlanText) -> None:
    text = "services: {s: {command: [s], env: {HOME: null, LEVEL: '{{ none }}'}}}\n"
    assert not {"HOME", "LEVEL"} & set(variables(plan_text(text, environ=CALLER)))


def test_env_in_templates_is_the_callers(plan_text: PlanText) -> None:
    text = """
        env: {HOME: other}
        services: {s: {command: [s, "{{ env.HOME }}", "{{ env.NOPE | default('-') }}", "{{ 'HOME' in env }}"]}}
    """
    assert plan_text(text, environ=CALLER).replicas[0].argv == ("s", "/h", "-", "true")


def test_the_python_that_runs_envspec_is_in_front_of_path_unless_it_is_in_there() -> None:
    assert search_path({"PATH": "/bin:/usr/bin"}, "/venv/bin") == "/venv/bin:/bin:/usr/bin"
    assert search_path({"PATH": "/bin:/venv/bin"}, "/venv/bin") == "/bin:/venv/bin"
    assert search_path({}, "/venv/bin") == "/venv/bin"
    assert inherited({"PATH": "/bin"}, None, "/venv/bin")["PATH"] == "/venv/bin:/bin"


def test_a_path_that_is_not_inherited_is_not_made_up(plan_text: PlanText) -> None:
    text = "services: {s: {command: [s], inherit_env: [HOME]}}\n"
    assert "PATH" not in variables(plan_text(text, environ={"PATH": "/bin", "HOME": "/h"}))
    written = "services: {s: {command: [s], env: {PATH: /only}}}\n"
    assert variables(plan_text(written, environ={"PATH": "/bin"}))["PATH"] == "/only"


def test_env_files_know_comments_quotes_and_export() -> None:
    text = '# a comment\n\nexport A=1\nB = two words # not this\nC=\'$x # y\'\nD="a\\nb \\"c\\""\nE=\nF=a=b#c\n'
    variables, wrong = read_env_file(text)
    assert variables == {"A": "1", "B": "two words", "C": "$x # y", "D": 'a\nb "c"', "E": "", "F": "a=b#c"}
    assert not wrong


@pytest.mark.parametrize("content", ["no equals sign", "1A=x", "=x"])
def test_a_line_of_an_env_file_that_is_none_is_told_where_it_is(refused: Refused, content: str) -> None:
    text = "services: {s: {command: [s], env_file: s.env}}\n"
    (finding,) = refused(text, files={"s.env": f"A=1\n  {content}\n"})
    assert finding == "2:3 bad-env-file: this line is not NAME=VALUE"


def test_all_wrong_lines_of_an_env_file_are_told_in_its_order(tmp_path: Path) -> None:
    file, lines = tmp_path / "env.yaml", ["one", "A=1", "B=\0", *["=x"] * 9]
    file.write_text("services: {s: {command: [s], replicas: 2, env_file: s.env}}\n")
    (tmp_path / "s.env").write_text("\n".join(lines))
    found = check(file, environ={})
    assert [(Path(one.file).name, one.line) for one in found] == [("s.env", n) for n in (1, *range(3, 13))]
    assert "NUL character" in found[1].message


def test_nothing_of_an_env_file_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "env.yaml"
    file.write_text("services: {s: {command: [s], env_file: s.env}}\n")
    (tmp_path / "s.env").write_text('KEY="-----BEGIN\nMIIEvQIBADAN\n')
    shown = as_text(check(file, environ={}), 1)
    assert "s.env:2:1: error[bad-env-file]" in shown
    assert "MII" not in shown
