"""A plan that was made before is used again only when nothing has changed that it was made of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from envspec.models.places import own_cache
from envspec.plan.plan import Bindings, Plan
from envspec.session.draft import Known, Written, draft
from envspec.session.request import Request

TWO = """
version: 1
vars: {greeting: hello}
services:
  store:
    command: [store, --port, "{{ ports.client }}", --dir, "{{ replica.dir }}", --name, "{{ session.id }}"]
    ports: {client: auto, block: {count: 3}, fixed: 18111}
  user:
    command: [user, "{{ services.store.endpoints.client }}", "{{ services.store.ports.block | join(',') }}"]
    env: {GREETING: "{{ vars.greeting }}", SOCKET: "{{ session.tmp }}/user.sock"}
    files: {user.json: {store: "{{ services.store.addresses.client }}", fixed: "{{ services.store.ports.fixed }}"}}
    depends_on: {store: started}
"""


@pytest.fixture(autouse=True)
def cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVSPEC_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "two.yaml"
    file.write_text(TWO)
    return file


def request_for(file: Path, environ: Mapping[str, str] | None = None, **sets: str) -> Request:
    return Request(file=file, sets=sets, environ=environ or {"PATH": os.environ["PATH"], "HOME": "/root"})


def bindings(directory: str = "/state/sessions/two-abcde", client: int = 20111) -> Bindings:
    ports = {"store": {"client": (client,), "block": (20501, 20502, 20503), "fixed": (18111,)}}
    return Bindings(session="two-abcde", directory=directory, tmp="/tmp/es-0123456789", ports=ports)


def remember(request: Request) -> Written:
    """Do what a session does: read, plan, keep."""
    made = draft(request)
    assert isinstance(made, Written)
    ports = {name: made_ports for name, made_ports in bindings().ports.items() if made.outline.ports}
    made.plan(replace(bindings(), ports=ports))
    made.keep()
    return made


def kept_plans() -> list[Path]:
    return list((own_cache(os.environ) / "plans").glob("*.json"))


def plans_of(request: Request) -> tuple[Plan, Plan]:
    """Return the plan as it is made, and as it is recalled."""
    made = remember(request)
    recalled = draft(request)
    assert isinstance(recalled, Known)
    return made.plan(bindings()), recalled.plan(bindings())


def test_a_recalled_plan_is_the_plan_that_would_be_made(file: Path) -> None:
    made, recalled = plans_of(request_for(file))

    assert recalled == made
    assert recalled.replicas[0].argv[:3] == ("store", "--port", "20111")


def test_the_outline_of_a_recalled_plan_asks_for_the_same_ports(file: Path) -> None:
    request = request_for(file)
    made = remember(request)

    assert draft(request).outline == made.outline


@pytest.mark.parametrize(
    "change",
    [
        lambda request: replace(request, sets={"greeting": "hi"}),
        lambda request: replace(request, environ={**request.environ, "HOME": "/elsewhere"}),
        lambda request: replace(request, environ={**request.environ, "MORE": "1"}),
    ],
    ids=["another --set", "another value", "another variable"],
)
def test_another_request_is_read_anew(file: Path, change: object) -> None:
    remember(request_for(file))

    assert isinstance(draft(change(request_for(file))), Written)  # type: ignore[operator]


def test_a_changed_file_is_read_anew(file: Path) -> None:
    remember(request_for(file))
    file.write_text(TWO.replace("hello", "goodbye"))

    assert isinstance(draft(request_for(file)), Written)


def test_a_file_that_is_edited_while_a_session_of_it_starts_is_not_mistaken_for_what_it_was(file: Path) -> None:
    made = draft(request_for(file))
    made.plan(bindings())
    file.write_text(TWO.replace("hello", "good evening"))
    made.keep()
    file.write_text(TWO)
    assert isinstance(draft(request_for(file)), Written)


@pytest.mark.parametrize(
    "text",
    [
        "extends: ./base.yaml\nservices: {one: {command: [one]}}",
        "services: {one: {use: ./entry.yaml}}",
        "services: {one: {command: [one], env_file: ./variables}}",
        "services: {one: {command: [one], health: [{python: {call: 'checks:fine'}}]}}",
    ],
)
def test_a_changed_file_behind_the_file_is_read_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "base.yaml").write_text("version: 1\ndescription: base\n")
    (tmp_path / "entry.yaml").write_text("version: 1\ndescription: entry\nservice: {command: [one]}\n")
    (tmp_path / "variables").write_text("A=1\n")
    (tmp_path / "checks.py").write_text("def fine(ctx): pass\n")
    file = tmp_path / "file.yaml"
    file.write_text(f"version: 1\n{text}\n")
    remember(request_for(file))
    assert isinstance(draft(request_for(file)), Known)

    for name in ("base.yaml", "entry.yaml", "variables", "checks.py"):
        (tmp_path / name).write_text((tmp_path / name).read_text() + "# changed\n")

    assert isinstance(draft(request_for(file)), Written)


@pytest.mark.parametrize(
    "expression",
    [
        "{{ ports.client + 1 }}",
        "{{ [ports.client, ports.block[0]] | sort | first }}",
        "{{ session.id[-3:] }}",
        "{{ session.id[6] }}",
        "{{ session.dir | length }}",
        "{{ 'low' if ports.client < 22500 else 'high' }}",
    ],
)
def test_a_plan_that_reckons_with_its_ports_is_not_kept(file: Path, expression: str) -> None:
    file.write_text(TWO.replace("{{ session.id }}", expression))
    request = request_for(file)

    remember(request)

    assert isinstance(draft(request), Written)


def test_a_question_that_every_session_answers_alike_is_answered_right(file: Path) -> None:
    file.write_text(TWO.replace("{{ session.id }}", "{{ 'in' if 20000 <= ports.client < 25000 else 'out' }}"))

    made, recalled = plans_of(request_for(file))

    assert recalled == made


def test_a_project_file_that_comes_or_goes_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    file = tmp_path / "below" / "file.yaml"
    file.write_text("version: 1\nservices: {one: {command: [one, '{{ project }}']}}\n")
    remember(request_for(file))
    assert isinstance(draft(request_for(file)), Known)

    (tmp_path / "pyproject.toml").touch()

    assert isinstance(draft(request_for(file)), Written)


def test_variables_that_change_with_each_command_do_not_matter(file: Path) -> None:
    remember(request_for(file, {"PATH": "/bin", "SHLVL": "1", "PWD": "/one"}))

    recalled = draft(request_for(file, {"PATH": "/bin", "SHLVL": "2", "PWD": "/two"}))

    assert isinstance(recalled, Known)
    assert recalled.plan(bindings()).replicas[0].env["PWD"] == "/two"


def test_a_plan_that_a_template_made_of_such_a_variable_is_not_kept(file: Path) -> None:
    file.write_text(TWO.replace("{{ session.id }}", "{{ env.PWD }}"))
    request = request_for(file, {"PATH": "/bin", "PWD": "/one"})

    remember(request)

    assert isinstance(draft(request), Written)


def test_where_a_path_might_need_quoting_the_file_is_read_after_all(file: Path) -> None:
    file.write_text(TWO.replace("{{ replica.dir }}", "{{ replica.dir | quote }}"))
    request = request_for(file)
    made = remember(request)
    odd = bindings(directory="/home/a user/sessions/two-abcde")

    assert draft(request).plan(odd) == made.plan(odd)


def test_the_callers_variables_are_not_written_down(file: Path) -> None:
    environ = {"PATH": "/bin", "HF_TOKEN": "hf_a_secret_of_mine"}
    made, recalled = plans_of(request_for(file, environ))

    assert "hf_a_secret_of_mine" not in kept_plans()[0].read_text()
    assert recalled.replicas[0].env["HF_TOKEN"] == "hf_a_secret_of_mine"
    assert recalled == made


@pytest.mark.parametrize(
    "env",
    ["{COPY: {token: '{{ env.DB_PASSWORD }}'}}", "{COPY: '{{ env.HF_TOKEN }}'}", "{API_KEY: written-in-the-file}"],
)
def test_a_plan_with_a_secret_in_it_is_not_kept(file: Path, env: str) -> None:
    file.write_text(f"version: 1\nservices:\n  one: {{command: [one], args: ['{{{{ env.HF_TOKEN }}}}'], env: {env}}}\n")

    remember(request_for(file, {"PATH": "/bin", "HF_TOKEN": "hf_a_secret_of_mine", "DB_PASSWORD": 'pa"ss\\word-456'}))

    assert kept_plans() == []


def test_recalling_imports_nothing_of_the_file_format_or_of_spawning(tmp_path: Path) -> None:
    (tmp_path / "environments").mkdir()
    file = tmp_path / "environments" / "two.yaml"
    file.write_text(TWO)
    remember(request_for(file))
    code = (
        "import sys; from pathlib import Path; from envspec.session.session import Session;"
        "from envspec.cli import up_foreground, options; from envspec.spec.find import find;"
        f"find('two', Path({str(file.parent.parent)!r}));"
        "from envspec.session.draft import draft; from envspec.session.request import Request;"
        f"made = draft(Request(file=Path({str(file)!r}), sets={{}}, environ={request_for(file).environ!r}));"
        "assert type(made).__name__ == 'Known';"
        "print(sorted({'ctypes', 'pydantic', 'jinja2', 'yaml', 'envspec.models.source'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_half_a_file_in_the_cache_is_as_good_as_none(file: Path) -> None:
    remember(request_for(file))
    (kept,) = kept_plans()
    kept.write_text(kept.read_text()[:-100])

    assert isinstance(draft(request_for(file)), Written)


def test_a_cache_that_cannot_be_written_is_no_error(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVSPEC_CACHE_DIR", "/dev/null/cache")

    remember(request_for(file))

    assert isinstance(draft(request_for(file)), Written)


def test_kept_plans_are_for_nobody_else(file: Path) -> None:
    remember(request_for(file))

    (kept,) = kept_plans()
    assert kept.stat().st_mode & 0o077 == 0
    assert set(json.loads(kept.read_text())["files"]) == {str(file)}
