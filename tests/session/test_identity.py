"""What a session is: equal for equal sessions, and where something differs, the key says what."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envspec.plan.identity import differences, stand_in
from envspec.session import identity
from envspec.session.draft import draft
from envspec.session.identity import Identity, identify
from tests.session.running import Bench, eventually

WEB = """
vars: {word: one}
services: {web: {command: [sleep, '100'], env: {WORD: "{{ vars.word }}"}, ports: {http: auto, admin: 30999}}}
"""


def identified(bench: Bench, text: str, name: str = "env", **more: Any) -> Identity:
    request = bench.request(text, name, **more)
    return identify(draft(request), request, {})


def changed(bench: Bench, before: str, now: str, **more: Any) -> dict[str, tuple[str, str]]:
    return differences(identified(bench, before).document, identified(bench, now, **more).document)


def test_the_same_file_is_the_same_however_it_is_written(bench: Bench) -> None:
    before = identified(bench, WEB)
    again = identified(bench, f"# a remark\n{WEB}description: other words\n")
    assert differences(before.document, again.document) == {}
    assert before.hash == again.hash
    assert len(before.hash) == 12


def test_sessions_have_it_whatever_their_ports(bench: Bench) -> None:
    text = "services: {web: {use: http-server}}"
    one, other = bench.session(text).up(), bench.session(text).up()
    assert one["web"].ports != other["web"].ports
    assert one.background.status().identity == other.background.status().identity != ""
    kept = identity.read(one.background.session.directory)
    assert kept is not None
    assert kept.hash == one.background.status().identity
    assert kept == identified(bench, text)


def test_a_plan_that_is_recalled_has_the_identity_of_one_that_is_read(bench: Bench) -> None:
    text = """
    models: {chat: {synthetic: {architecture: qwen3}}}
    services:
      web:
        use: http-server
        replicas: 2
        env: {MODEL: "{{ models.chat.path }}", OTHER: "{{ services.web.replicas[1].addresses.http }}"}
      late: {use: http-server, depends_on: [web]}
    """
    read = identified(bench, text)
    session = bench.session(text).up()
    session.stop()
    eventually(lambda: list((bench.path / "cache" / "plans").glob("*.json")), "a plan in the cache")
    found = draft(session.request)
    assert type(found).__name__ == "Known"
    assert identify(found, session.request, {}) == read


CHANGES: dict[str, tuple[str, str, dict[str, tuple[str, str]]]] = {
    "a variable": ("word: one", "word: two", {"services.web.env.WORD": ("one", "two")}),
    "an argument": (
        "[sleep, '100']",
        "[sleep, '200']",
        {"services.web.argv": ("sleep 100", "sleep 200")},
    ),
    "a fixed port": (
        "admin: 30999",
        "admin: 30998",
        {"services.web.ports.admin": ("30999, keep", "30998, keep")},
    ),
    "a reset": ("ports:", "reset: restart, ports:", {"services.web.reset": ("(not set)", "restart")}),
}


@pytest.mark.parametrize(("old", "new", "expected"), CHANGES.values(), ids=CHANGES)
def test_what_the_file_says_differs_by_its_key(
    bench: Bench, old: str, new: str, expected: dict[str, tuple[str, str]]
) -> None:
    assert changed(bench, WEB, WEB.replace(old, new)) == expected


def test_one_port_more_changes_what_is_said_of_it_alone(bench: Bench) -> None:
    text = """
    services:
      first: {command: [sleep, "100"], ports: {http: auto}}
      second: {command: [sleep, "{{ ports.http }}"], ports: {http: auto}}
    """
    assert set(changed(bench, text, text.replace("{http: auto}", "{http: auto, more: auto}", 1))) == {
        "services.first.ports.more"
    }


def test_replicas_say_once_what_they_have_in_common(bench: Bench) -> None:
    text = 'services: {w: {command: [sleep, "{{ ports.a }}", "{{ replica.index }}"], ports: {a: auto}, replicas: 3}}'
    document = identified(bench, text).document
    assert document["services.w.argv"] == "sleep <a> 0"
    assert {key for key in document if key.startswith("services.w.1.")} == {"services.w.1.argv"}


@pytest.mark.parametrize(
    ("name", "key"),
    [("CUDA_LAUNCH_BLOCKING", "services.web.env.CUDA_LAUNCH_BLOCKING"), ("LD_LIBRARY_PATH", None), ("EDITOR", "")],
)
def test_of_inherited_variables_those_count_that_change_behaviour(bench: Bench, name: str, key: str | None) -> None:
    found = changed(bench, WEB, WEB, environ={name: "other"})
    assert set(found) == ({key or f"services.web.env.{name}"} if key != "" else set())


def test_with_inherit_env_exactly_what_it_lets_through_counts(bench: Bench) -> None:
    text = f'{WEB}inherit_env: [PATH, "EDIT*"]\n'
    assert set(changed(bench, text, text, environ={"EDITOR": "ed"})) == {"services.web.env.EDITOR"}
    assert changed(bench, text, text, environ={"NCCL_DEBUG": "1"}) == {}


def test_a_variable_that_the_file_sets_counts_also_where_the_caller_has_the_same(bench: Bench) -> None:
    assert changed(bench, WEB, WEB, environ={"WORD": "one"}) == {}


def test_a_secret_is_a_digest(bench: Bench) -> None:
    text = """
    services:
      web: {command: [sleep, "{{ env.MY_TOKEN }}"], env: {THE_PASSWORD: "{{ env.MY_TOKEN }}"}, inherit_env: ["*"]}
    """
    first = identified(bench, text, environ={"MY_TOKEN": "correct-horse"})
    assert "correct-horse" not in json.dumps(first.document)
    second = identified(bench, text, environ={"MY_TOKEN": "battery-staple"})
    assert set(differences(first.document, second.document)) == {
        *("services.web.argv", "services.web.env.MY_TOKEN", "services.web.env.THE_PASSWORD")
    }


def test_a_session_writes_no_secret_into_its_identity(bench: Bench) -> None:
    text = 'services: {web: {command: [sleep, "100"], env: {A_KEY: "{{ env.MY_TOKEN }}"}}}'
    session = bench.session(text, environ={"MY_TOKEN": "correct-horse"}).up()
    directory = session.background.session.directory
    assert "correct-horse" not in (directory / identity.FILE).read_text()
    assert (directory / identity.FILE).stat().st_mode & 0o077 == 0


def test_a_program_that_was_built_anew_is_another_one(bench: Bench) -> None:
    program = bench.path / "tool"
    program.write_text("#!/bin/sh\nexec sleep 100\n")
    program.chmod(0o755)
    text = f"services: {{web: {{command: ['{program}']}}}}"
    before = identified(bench, text)
    assert before.document["services.web.interpreter"].startswith("/bin/sh")
    shutil.copy(program, bench.path / "new")
    (bench.path / "new").rename(program)
    assert set(differences(before.document, identified(bench, text).document)) == {"services.web.program.file"}


def test_what_is_installed_for_a_python_changes_it(bench: Bench) -> None:
    packages = bench.path / "venv/lib/python3.11/site-packages"
    packages.mkdir(parents=True)
    (bench.path / "venv/bin").mkdir()
    (bench.path / "venv/pyvenv.cfg").touch()
    (bench.path / "venv/bin/python").symlink_to(sys.executable)
    script = bench.path / "venv/bin/tool"
    script.write_text(f"#!{bench.path}/venv/bin/python\n")
    script.chmod(0o755)
    text = f"""
    services:
      one: {{command: ['{bench.path}/venv/bin/python', -c, pass]}}
      two: {{command: ['{script}']}}
    """
    before = identified(bench, text)
    (packages / "thing-1.0.dist-info").mkdir()
    assert set(differences(before.document, identified(bench, text).document)) == {
        *(f"services.one.packages {packages}", f"services.two.packages {packages}")
    }


def _content(path: Path) -> None:
    path.write_text("other")


def _large(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(3 * 2**20 + 1)


@pytest.mark.parametrize("change", [_content, _large])
@pytest.mark.parametrize(
    "command", ["[sleep, --config={}]", "[sleep, {}]", "[sh, -c, 'exec sleep 1 <{}']", "[sleep, engine.yaml]"]
)
def test_a_file_that_the_command_names_counts(bench: Bench, command: str, change: Callable[[Path], None]) -> None:
    file = bench.path / "engine.yaml"
    file.write_text("some")
    if change is _large:
        with file.open("wb") as stream:
            stream.truncate(3 * 2**20)
    text = f"services: {{web: {{command: {command.format(file)}, cwd: .}}}}"
    before = identified(bench, text)
    change(file)
    assert set(differences(before.document, identified(bench, text).document)) == {f"services.web.file {file}"}


def test_a_file_that_a_script_writes_does_not_count(bench: Bench) -> None:
    text = f"services: {{web: {{shell: 'echo x >> {bench.path}/one.log 2>{bench.path}/two.log; exec sleep 100'}}}}"
    before = identified(bench, text)
    bench.touch("one.log")
    bench.touch("two.log")
    assert identified(bench, text) == before


def test_the_module_of_a_check_and_the_variables_of_an_env_file_count(bench: Bench) -> None:
    module, variables = bench.path / "checks.py", bench.path / "web.env"
    module.write_text("def sound(ctx): pass\n")
    variables.write_text("# remark\nWORD=one\n")
    text = """
    services: {web: {command: [sleep, "1"], env_file: web.env, health: [{python: {call: "checks:sound"}}]}}
    """
    before = identified(bench, text)
    module.write_text("def sound(ctx): raise ValueError\n")
    variables.write_text("WORD=two\n")
    assert differences(before.document, identified(bench, text).document) == {
        "services.web.env.WORD": ("one", "two"),
        f"services.web.file {module}": (
            before.document[f"services.web.file {module}"],
            identified(bench, text).document[f"services.web.file {module}"],
        ),
    }


def test_a_model_counts_by_its_source_and_its_commit(bench: Bench) -> None:
    weights = bench.path / "model"
    weights.mkdir()
    (weights / "config.json").write_text("{}")
    text = "models: {chat: {path: model}, tiny: {synthetic: {architecture: qwen3}}}"
    request = bench.request(text)
    before = identify(draft(request), request, {"far": "1" * 40})
    (weights / "more.safetensors").write_text("x")
    now = identify(draft(request), request, {"far": "2" * 40})
    assert set(differences(before.document, now.document)) == {"models.chat.files", "models.far.commit"}
    assert "models.tiny.synthetic" in now.document


def test_one_that_chokes_on_stand_ins_has_none_and_runs_all_the_same(bench: Bench) -> None:
    text = 'services: {web: {command: [sleep, "{{ (10**9 // (ports.http - NUMBER)) | abs }}"], ports: {http: auto}}}'
    outline = draft(bench.request(text.replace("NUMBER", "1"))).outline
    number = stand_in(outline).ports["web"]["http"][0]
    session = bench.session(text.replace("NUMBER", str(number))).up()
    assert session.background.status().identity == ""
