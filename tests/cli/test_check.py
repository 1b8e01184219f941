"""`envspec check`: every mistake with its place, in four formats, without running anything."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

WRONG = "version: 1\nservices:\n  web:\n    comand: [x]\n    depends_on: [api]\n"


def test_a_good_file_is_said_to_be_good(envspec: Any, web: str) -> None:
    envspec.write(web)
    result = envspec("check")

    assert (result.returncode, result.stdout, result.stderr) == (0, "1 file checked, nothing wrong\n", "")


def test_every_mistake_is_shown_with_its_line_a_caret_and_a_hint(envspec: Any) -> None:
    envspec.write(WRONG)
    result = envspec("check", "environments/local.yaml")

    assert result.returncode == 2
    assert "environments/local.yaml:4:5: error[unknown-key]" in result.stdout
    assert "  4 |     comand: [x]\n    |     ^\n  hint: did you mean 'command'?" in result.stdout
    assert "environments/local.yaml:5:" in result.stdout


def test_directories_and_files_can_be_named_together(envspec: Any, web: str) -> None:
    envspec.write(web, "one")
    envspec.write(web, "two")
    (envspec.project / "notes.txt").write_text("no YAML")
    elsewhere = envspec.project / "elsewhere.yml"
    elsewhere.write_text(web)

    assert envspec.json("check", "environments", "elsewhere.yml") == {"files": 3, "diagnostics": []}


def test_files_of_other_tools_in_hidden_directories_are_left_alone(envspec: Any, web: str) -> None:
    envspec.write(web)
    for hidden in (".venv/lib/theirs.yaml", ".pre-commit-config.yaml"):
        (envspec.project / hidden).parent.mkdir(parents=True, exist_ok=True)
        (envspec.project / hidden).write_text("repos: []\n")

    assert envspec.json("check", ".") == {"files": 1, "diagnostics": []}


def test_json_has_the_documented_shape(envspec: Any) -> None:
    envspec.write(WRONG)
    result = envspec("check", "--format", "json")
    document = json.loads(result.stdout)

    assert result.returncode == 2
    assert document["files"] == 1
    assert all(
        set(item) == {"file", "line", "column", "code", "severity", "message", "hint"}
        for item in document["diagnostics"]
    )
    assert {item["line"] for item in document["diagnostics"]} == {4, 5}


@pytest.mark.parametrize(("form", "sign"), [("github", "::error file="), ("sarif", '"version": "2.1.0"')])
def test_formats_for_continuous_integration(envspec: Any, form: str, sign: str) -> None:
    envspec.write(WRONG)
    result = envspec("check", "--format", form)

    assert result.returncode == 2
    assert sign in result.stdout


@pytest.mark.parametrize("named", [[], ["environments"], ["./environments/local.yaml", "$HERE/environments"]])
def test_paths_are_shown_relative_to_the_working_directory(envspec: Any, named: list[str]) -> None:
    envspec.write(WRONG + "  api: {command: [api], env_file: api.env}\n")
    (envspec.project / "environments" / "api.env").write_text("none\n")
    document = json.loads(
        envspec("check", *(path.replace("$HERE", str(envspec.project)) for path in named), "--format", "json").stdout
    )
    assert document["files"] == 1
    assert {item["file"] for item in document["diagnostics"]} == {
        "environments/local.yaml", "environments/api.env",
    }  # fmt: skip


def test_a_path_that_does_not_exist_is_a_wrong_command_line(envspec: Any) -> None:
    result = envspec("check", "environments/nope.yaml")

    assert result.returncode == 2
    assert "environments/nope.yaml: there is no such file or directory" in result.stderr


@pytest.mark.parametrize("form", ["text", "json", "github", "sarif"])
def test_paths_that_do_not_exist_are_told_beside_what_is_wrong_with_the_others(envspec: Any, form: str) -> None:
    envspec.write(WRONG)
    result = envspec("check", "nope", "environments/local.yaml", "nope.yaml", "nope", "--format", form)

    assert result.returncode == 2
    assert "has no key 'comand'" in result.stdout
    assert result.stderr.count("there is no such file or directory") == 2
    assert "nope: there is" in result.stderr
    assert "nope.yaml: there is" in result.stderr


def test_a_good_file_does_not_make_up_for_a_path_that_does_not_exist(envspec: Any, web: str) -> None:
    envspec.write(web)
    result = envspec("check", "environments", "nope.yaml")

    assert (result.returncode, result.stdout) == (2, "1 file checked, nothing wrong\n")
    assert "nope.yaml: there is no such file or directory" in result.stderr


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(envspec: Any) -> None:
    os.mkfifo(envspec.project / "environments" / "pipe.yaml")
    for argv in (["check", "environments/pipe.yaml"], ["check", "environments"]):
        result = envspec(*argv)

        assert result.returncode == 2
        assert "environments/pipe.yaml:1:1: error[unreadable]: " in result.stdout
        assert "it is no regular file" in result.stdout


@pytest.mark.parametrize("named", ["<(cat environments/local.yaml)", "/dev/stdin < environments/local.yaml"])
def test_what_a_shell_gives_to_read_is_read(envspec: Any, web: str, named: str) -> None:
    envspec.write(web.replace("command", "comand"))
    result = subprocess.run(
        ["bash", "-c", f"{envspec.program} check {named}"],
        cwd=envspec.project, env=envspec.environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert "error[unknown-key]: the service 'web' has no key 'comand'" in result.stdout


def test_nothing_to_check_is_a_wrong_command_line(envspec: Any, web: str) -> None:
    (envspec.project / "empty").mkdir()
    result = envspec("check")
    assert (result.returncode, result.stdout) == (2, "")
    assert "there are no environments here" in result.stderr
    assert "hint: envspec looks in environments/" in result.stderr

    result = envspec("check", "empty", "--format", "json")
    assert (result.returncode, result.stdout) == (2, "")
    assert "there are no .yaml or .yml files in empty" in result.stderr

    envspec.write(web)
    assert envspec("check", "empty", "environments/local.yaml").returncode == 0


ENTRY = """\
description: An engine.
inputs:
  len: {type: int, default: 3}
  model: {type: model}
service:
  command: [engine, "{{ inputs.len }}", "{{ inputs.model.path }}", "{{ ports.http }}"]
  ports: {http: auto}
  health: [{http: {port: http}}]
"""


def test_a_catalog_entry_of_ones_own_is_checked_as_one_and_is_no_environment(envspec: Any, web: str) -> None:
    envspec.write(web)
    entry = envspec.project / "environments" / "my-engine.yaml"
    entry.write_text(ENTRY)
    assert envspec("check").stdout == "2 files checked, nothing wrong\n"
    assert [one["name"] for one in envspec.json("list")] == ["local"]

    wrong = ENTRY.replace("port: http}", "port: htp}").replace("inputs.len", "inputs.lne")
    entry.write_text(wrong.replace("command", "comand"))
    named = [
        item["code"] for item in json.loads(envspec("check", str(entry), "--format", "json").stdout)["diagnostics"]
    ]
    assert "unknown-key" in named
    entry.write_text(wrong)
    found = envspec("check", "environments/my-engine.yaml").stdout
    assert "environments/my-engine.yaml:6:32: error[template]: inputs has no 'lne'" in found
    assert "environments/my-engine.yaml:8:26: error[unknown-port]: my_engine has no port 'htp'" in found


def test_an_entry_whose_inputs_could_be_anything_is_checked_for_what_it_names(envspec: Any) -> None:
    entry = envspec.project / "entry.yaml"
    entry.write_text(ENTRY.replace("int, default: 3", "int").replace("inputs.len", "vars.len"))
    result = envspec("check", "entry.yaml")

    assert result.returncode == 2
    assert "entry.yaml:6:25: error[out-of-scope]" in result.stdout


SECRET = "hf_abcdefghijklmnopqrstuvwx"


@pytest.mark.parametrize("written", [SECRET, f"MY_TOKEN={SECRET}", "'some secret'", "A=secret", "'hf_{{ vars.rest }}'"])
@pytest.mark.parametrize("form", ["text", "json", "github", "sarif"])
def test_a_token_where_its_variable_belongs_is_told_and_not_shown(
    envspec: Any, web: str, written: str, form: str
) -> None:
    rest = "vars: {rest: abcdefghijklmnopqrstuvwx}\n"
    envspec.write(f"{web}{rest}models: {{m: {{repo: org/name, token_env: {written}, preload: true}}}}\n")
    result = envspec("check", "--format", form)
    assert result.returncode == 2
    assert "this is not the name of a variable; a token itself belongs into a variable" in result.stdout
    assert not [secret for secret in (SECRET, "secret") if secret in result.stdout + result.stderr]
    if form == "text" and "vars" not in written:
        assert f"token_env: {'*' * len(written)}, preload: true" in result.stdout


BASE = """\
version: 1
services:
  engine: {use: ./engine.yaml, with: {mode: z}}
"""
ENGINE = """\
inputs: {mode: {type: string, choices: [x, y], default: x}}
service: {command: [sleep, "{{ inputs.moed }}"]}
"""


@pytest.mark.parametrize("form", ["text", "json", "github", "sarif"])
def test_a_mistake_that_several_files_share_is_told_once(envspec: Any, form: str) -> None:
    envspec.write(BASE, "base")
    (envspec.project / "environments" / "engine.yaml").write_text(ENGINE)
    for name in ("a", "b", "c"):
        envspec.write("extends: base.yaml\n", name)
    said = envspec("check", "environments", "environments/base.yaml", "--format", form).stdout

    assert said.count("wrong-input") == (2 if form == "sarif" else 1)  # there, once as a rule
    assert said.count("inputs has no 'moed'") == 1
    if form == "text":
        assert said.endswith("2 errors in 5 files\n")
    if form == "json":
        assert json.loads(said)["files"] == 5
