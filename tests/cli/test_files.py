"""Commands about files: init, schema, show and list."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml


def test_init_writes_a_file_that_checks_clean_and_starts(envspec: Any) -> None:
    assert envspec("init").returncode == 0
    assert envspec("check").stdout == "1 file checked, nothing wrong\n"

    session = envspec.json("up", "-d")

    assert [(replica["name"], replica["state"]) for replica in session["services"]] == [
        ("backend", "healthy"),
        ("frontend", "healthy"),
    ]


@pytest.mark.parametrize(
    ("configured", "file", "schema"),
    [
        ("'testing/envs'", "testing/envs/local.yaml", "../../schemas/"),
        ("['one.yaml', 'more']", "more/local.yaml", "../schemas/"),
        ("'local.yaml'", "local.yaml", "schemas/"),
    ],
)
def test_init_writes_where_environments_are_looked_for(envspec: Any, configured: str, file: str, schema: str) -> None:
    (envspec.project / "pyproject.toml").write_text(f"[tool.envspec]\nenvironments = {configured}\n")

    assert envspec("init").stdout.startswith(f"wrote {file}\n")
    assert envspec("check").stdout == "1 file checked, nothing wrong\n"
    assert f"$schema={schema}environment.schema.json" in (envspec.project / file).read_text()
    assert envspec("init").returncode == 2


def test_init_leaves_what_is_there(envspec: Any) -> None:
    envspec.write("mine")
    result = envspec("init")

    assert result.returncode == 2
    assert "environments/local.yaml exists already" in result.stderr
    assert (envspec.project / "environments" / "local.yaml").read_text() == "mine"


def test_schema_writes_what_schema_check_then_accepts(envspec: Any) -> None:
    assert envspec("schema", "--check").returncode == 2
    assert envspec("schema").returncode == 0
    assert envspec("schema", "--check").returncode == 0

    schema = envspec.project / "schemas" / "environment.schema.json"
    assert json.loads(schema.read_text())["properties"]["services"]

    schema.write_text(schema.read_text().replace("services", "service"))
    stale = envspec("schema", "--check")

    assert stale.returncode == 2
    assert "schemas/environment.schema.json" in stale.stderr


def test_schema_keeps_the_tables_of_the_reference_page_current_and_leaves_other_pages_alone(envspec: Any) -> None:
    page = envspec.project / "docs" / "spec.md"
    page.parent.mkdir()
    page.write_text("<!-- keys of StopSpec: -->\n| mine |\n<!-- end -->\n")
    assert envspec("schema").returncode == 0
    assert "| mine |" in page.read_text()

    page.write_text("<!-- keys of EnvironmentFile: -->\n| old |\n<!-- end -->\n")
    stale = envspec("schema", "--check")
    assert (stale.returncode, "docs/spec.md" in stale.stderr) == (2, True)
    assert "wrote docs/spec.md" in envspec("schema").stdout
    assert "| `services` | mapping to [services]" in page.read_text()
    assert envspec("schema", "--check").returncode == 0


SHOWN = """\
version: 1
vars: {block: 16}
env: {HF_TOKEN: hf_0123456789, PLAIN: x}
services:
  web:
    command: [python, -m, http.server, "{{ ports.http }}", "--base={{ ports.block[0] + vars.block }}"]
    ports: {http: auto, admin: 19090, block: {count: 4}}
    replicas: 2
    files: {token.txt: "{{ env.API_TOKEN }}"}
"""


def test_show_names_every_port_and_hides_secrets(envspec: Any) -> None:
    envspec.write(SHOWN.replace("    replicas: 2\n", ""))
    result = envspec("show", API_TOKEN="secret-of-mine")
    service = yaml.safe_load(result.stdout)["services"]["web"]

    assert service["ports"] == {"http": "auto", "admin": 19090, "block": "auto, 4 in a row"}
    assert service["command"] == ["python", "-m", "http.server", "<web.http>", "--base=<web.block+16>"]
    assert service["env"] == {"CUDA_VISIBLE_DEVICES": "", "HF_TOKEN": "***", "PLAIN": "x"}
    assert service["files"] == {"token.txt": "***"}
    assert "hf_0123456789" not in result.stdout
    assert "secret-of-mine" not in result.stdout


def test_show_as_json_is_the_same_and_takes_overrides(envspec: Any) -> None:
    envspec.write(SHOWN.replace("admin: 19090, ", ""))
    shown = json.loads(
        envspec("show", "local", "--format", "json", "--set", "block=32", API_TOKEN="secret-of-mine").stdout
    )

    assert shown["vars"] == {"block": 32}
    assert shown["services"]["web"]["replicas"] == ["web.0", "web.1"]
    assert shown["services"]["web"]["command"][-1] == "--base=<web.0.block+32>"


def test_show_says_what_is_required_and_what_is_inherited(envspec: Any) -> None:
    envspec.write(
        "requires: {commands: [sh], memory: 1MiB}\ninherit_env: [PATH, 'MY_*']\n"
        "services: {a: {use: etcd}, b: {command: [x], inherit_env: [MY_A]}, c: {command: [x], unset_env: [MY_B]}}\n"
    )
    shown = json.loads(envspec("show", "--format", "json", MY_A="1", MY_B="2", MY_C="3").stdout)

    assert shown["requires"]["commands"][0] == "sh"
    assert len(shown["requires"]["commands"]) > 1
    assert shown["requires"]["memory"] == "1048576B"
    assert shown["inherit_env"] == ["PATH", "MY_*"]
    assert "MY_A" in shown["services"]["b"]["inherit_env"]
    assert "MY_B" not in shown["services"]["b"]["inherit_env"]
    assert shown["services"]["c"]["unset_env"] == ["MY_B"]


def test_show_says_which_ports_have_a_relay(envspec: Any) -> None:
    envspec.write(
        "services: {a: {command: [x], ports: {one: {proxy: true}, two: {range: 8000, proxy: true}, three: auto}}}\n"
    )
    shown = json.loads(envspec("show", "--format", "json").stdout)
    ports = {"one": {"proxy": True}, "two": {"range": 8000, "proxy": True}, "three": "auto"}
    assert shown["services"]["a"]["ports"] == ports


def test_what_show_prints_is_json_whatever_the_numbers(envspec: Any) -> None:
    envspec.write("vars: {a: .inf, b: [-.inf], c: {d: .nan}}\nservices: {}\n")

    def no_json(word: str) -> None:
        raise AssertionError(word)

    shown = json.loads(envspec("show", "--format", "json").stdout, parse_constant=no_json)
    assert shown["vars"] == {"a": ".inf", "b": ["-.inf"], "c": {"d": ".nan"}}


@pytest.mark.parametrize("argv", [["show", "nope"], ["up", "nope"], ["up", "-d", "nope"]])
def test_an_environment_that_does_not_exist(envspec: Any, web: str, argv: list[str]) -> None:
    envspec.write(web, "hope")
    result = envspec(*argv)

    assert result.returncode == 2
    assert "there is no environment 'nope'" in result.stderr
    assert "hope" in result.stderr


def test_list_says_what_this_host_cannot_run(envspec: Any, web: str) -> None:
    envspec.write(web, "good")
    envspec.write("version: 1\nrequires: {commands: [no-such-engine], env: [NO_SUCH_TOKEN]}\nservices: {}\n", "lacking")
    envspec.write("version: 1\nservice: {}\n", "wrong")

    listed = {one["name"]: one for one in envspec.json("list")}

    assert listed["good"] == {
        "name": "good",
        "file": listed["good"]["file"],
        "description": "One file server.",
        "services": ["web"],
        "runnable": True,
        "missing": [],
        "uncached": [],
        "errors": [],
    }
    assert not listed["lacking"]["runnable"]
    assert "no-such-engine" in listed["lacking"]["missing"][0]
    assert "NO_SUCH_TOKEN" in listed["lacking"]["missing"][1]
    assert not listed["wrong"]["runnable"]
    assert "wrong.yaml:2:1" in listed["wrong"]["errors"][0]

    text = envspec("list").stdout
    assert "●  good     One file server.\n" in text
    assert "✗  lacking  the command no-such-engine" in text


def test_list_names_each_environment_as_commands_take_it(envspec: Any, web: str) -> None:
    envspec.write(web).with_suffix(".yml").write_text(web.replace("One file server", "Another"))
    envspec.write(web, ".hidden")
    listed = {one["name"]: one["description"] for one in envspec.json("list")}

    assert listed == {
        ".hidden": "One file server.",
        "local": "One file server.",
        "environments/local.yml": "Another.",
    }
    for name, description in listed.items():
        assert envspec.json("show", name)["description"] == description


def test_list_knows_which_commands_do_not_exist_here(envspec: Any) -> None:
    envspec.write("version: 1\nservices: {engine: {command: [no-such-engine]}, dir: {command: [/etc]}}\n", "lacking")

    (listed,) = envspec.json("list")

    assert not listed["runnable"]
    assert "engine: command not found: no-such-engine" in listed["missing"][0]
    assert "dir: the command is a directory: /etc" in listed["missing"][1]


def test_a_project_without_environments_says_how_to_begin(envspec: Any) -> None:
    result = envspec("list")

    assert (result.returncode, result.stdout) == (0, "")
    assert "envspec init" in result.stderr
    assert envspec.json("list") == []
