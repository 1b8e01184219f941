"""`envspec models pin`: commits in the files, of every model that was at a branch."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.models.hub_models import write_model
from tests.models.hub_server import Hub


def test_commits_are_written_and_nothing_else_is_touched(envspec: Any, hub: Hub) -> None:
    for name in ("one", "two"):
        write_model(hub.root, f"org/{name}", 0.1)
    lines = (
        "# ours",
        "models:",
        "  one: {repo: org/one}  # small",
        "  two:",
        "    repo: 'org/two'",
        "    revision: main",
    )
    text = "".join(f"{line}\r\n" for line in lines)
    file = envspec.write("")
    file.write_bytes(text.encode())
    result = envspec("models", "pin")

    one, two = hub.commit("org/one"), hub.commit("org/two")
    assert result.stdout.splitlines() == [
        f"{file}: one is pinned to {one} (main)",
        f"{file}: two is pinned to {two} (main)",
    ]
    expected = text.replace("org/one", f"org/one, revision: {one}").replace("revision: main", f"revision: {two}")
    assert file.read_bytes().decode() == expected

    asked = len(hub.requests)
    assert envspec("models", "pin").stdout == "local: there is nothing to pin\n"
    assert envspec("models", "pin", "--check").returncode == 0
    assert len(hub.requests) == asked


def test_a_tag_is_pinned_to_what_it_is_at(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/one", 0.1)
    old = hub.commit("org/one")
    (hub.root / "org/one/README.md").write_text("newer")
    file = envspec.write(f"models: {{a: {{repo: org/one, revision: {old}}}, b: {{repo: org/one}}}}\n")
    assert envspec("models", "pin").returncode == 0
    assert file.read_text() == (
        f"models: {{a: {{repo: org/one, revision: {old}}}, b: {{repo: org/one, revision: {hub.commit('org/one')}}}}}\n"
    )


def test_models_of_one_branch_are_pinned_to_one_commit(envspec: Any, hub: Hub) -> None:
    folder = write_model(hub.root, "org/one", 0.1)

    def move(_path: str) -> None:
        (folder / "README.md").write_text(str(hub.requests))

    hub.before = move
    file = envspec.write("models: {a: {repo: org/one}, b: {repo: org/one, tokenizer_only: true}}\n")
    assert envspec("models", "pin").returncode == 0
    assert len(set(re.findall("[0-9a-f]{40}", file.read_text()))) == 1
    assert sum("/revision/" in request.path for request in hub.requests) == 1


def test_a_model_of_a_base_is_pinned_in_the_base(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/one", 0.1)
    base = envspec.write("models:\n  one:\n    repo: org/one\n", "base")
    file = envspec.write("extends: base.yaml\nmodels: {two: {repo: org/one}}\n")
    assert envspec("models", "pin", "local").returncode == 0
    commit = hub.commit("org/one")
    assert base.read_text() == f"models:\n  one:\n    repo: org/one\n    revision: {commit}\n"
    assert file.read_text() == f"extends: base.yaml\nmodels: {{two: {{repo: org/one, revision: {commit}}}}}\n"


def test_check_names_every_model_that_is_not_pinned_and_asks_nobody(envspec: Any, hub: Hub) -> None:
    text = "models:\n  one: {repo: org/one}\n  two:\n    repo: org/two\n    revision: v1\n  three: {path: /w}\n"
    file = envspec.write(text)
    result = envspec("models", "pin", "--check")
    assert result.returncode == 2
    assert "local.yaml:2:9: error[not-pinned]: the model 'one' is at 'main', which may mean something" in result.stderr
    assert "local.yaml:5:5: error[not-pinned]: the model 'two' is at 'v1', which may mean something" in result.stderr
    assert "hint: `envspec models pin local` writes the commit that it is at" in result.stderr
    assert "2 errors in 1 file" in result.stderr
    assert file.read_text() == text
    assert hub.requests == []


def test_nothing_is_written_where_one_model_cannot_be_pinned(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/one", 0.1)
    text = "vars: {x: two}\nmodels: {a: {repo: org/one}, b: {repo: 'org/{{ vars.x }}'}}\n"
    file = envspec.write(text)
    result = envspec("models", "pin")
    assert result.returncode == 2
    assert "local.yaml:2:40: error[computed]: 'repo' of the model 'b' is computed" in result.stderr
    assert hub.requests == []

    file.write_text(missing := "models: {a: {repo: org/one}, b: {repo: org/none}}\n")
    result = envspec("models", "pin")
    assert (result.returncode, "no model org/none" in result.stderr) == (3, True)
    assert file.read_text() == missing


@pytest.mark.parametrize("cut_off", ["HF_ENDPOINT", "HF_HUB_OFFLINE"])
def test_what_a_branch_was_last_seen_at_is_not_what_it_is_at(envspec: Any, hub: Hub, cut_off: str) -> None:
    write_model(hub.root, "org/one", 0.1)
    file = envspec.write("models: {a: {repo: org/one}}\n")
    assert envspec("models", "pull").returncode == 0
    envspec.environ[cut_off] = "1" if cut_off == "HF_HUB_OFFLINE" else "http://127.0.0.1:1"
    before, result = file.read_text(), envspec("models", "pin")

    assert result.returncode == 3
    assert file.read_text() == before


def test_show_has_a_place_for_a_commit_that_is_not_known_yet(envspec: Any) -> None:
    envspec.write("models: {a: {repo: org/one}}\nservices: {s: {command: [echo, 'at {{ models.a.commit }}']}}\n")

    assert envspec.json("show")["services"]["s"]["command"] == ["echo", "at <models.a.commit>"]
