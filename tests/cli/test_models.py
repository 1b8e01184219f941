"""`envspec models list`, and what show and list say of models: all of it without a request."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.another_program import download
from tests.models.hub_models import write_model
from tests.models.hub_server import Hub

FOUR = """\
models:
  chat: {repo: org/chat}
  router: {repo: org/chat, tokenizer_only: true}
  tiny: {synthetic: {architecture: qwen3}}
  near: {path: ../weights}
"""


@pytest.fixture
def weights(envspec: Any) -> Path:
    folder: Path = write_model(envspec.project, "weights", 0.1)
    return folder


def listed(envspec: Any, *names: str) -> dict[str, dict[str, Any]]:
    return {model["name"]: model for model in envspec.json("models", "list", *names)}


def test_nothing_is_known_of_a_branch_that_was_never_fetched(envspec: Any, hub: Hub) -> None:
    envspec.write("models: {chat: {repo: org/chat}}\n")
    assert listed(envspec)["chat"] == {
        "name": "chat",
        "served_name": "org/chat",
        "source": "repo",
        "repo": "org/chat",
        "revision": "main",
        "commit": None,
        "path": None,
        "bytes": None,
        "state": "missing",
        "cached": False,
        "used_by": ["local"],
    }
    assert hub.requests == []


def test_what_was_pulled_is_listed_with_its_commit_its_path_and_its_size(envspec: Any, hub: Hub, weights: Path) -> None:
    write_model(hub.root, "org/chat", 0.3)
    envspec.write(FOUR)
    assert envspec("models", "pull").returncode == 0
    asked = len(hub.requests)
    models = listed(envspec)

    assert {name: (model["state"], model["cached"]) for name, model in models.items()} == dict.fromkeys(
        ("chat", "router", "tiny", "near"), ("cached", True)
    )
    assert models["chat"]["commit"] == hub.commit("org/chat")
    assert Path(models["chat"]["path"]).name == hub.commit("org/chat")
    assert models["chat"]["bytes"] == sum(file.stat().st_size for file in (hub.root / "org/chat").iterdir())
    assert models["router"]["bytes"] < 1000
    assert models["near"]["path"] == str(weights)
    assert len(hub.requests) == asked


def test_a_model_of_several_environments_stands_there_once(envspec: Any) -> None:
    envspec.write("models: {chat: {repo: org/chat}, tiny: {repo: org/tiny}}\n", "one")
    envspec.write("models: {chat: {repo: org/chat, preload: false}, tiny: {repo: org/tiny, revision: v1}}\n", "two")
    rows = envspec.json("models", "list")
    assert [(row["name"], row["revision"], row["used_by"]) for row in rows] == [
        ("chat", "main", ["one", "two"]),
        ("tiny", "main", ["one"]),
        ("tiny", "v1", ["two"]),
    ]
    assert [row["used_by"] for row in envspec.json("models", "list", "two")] == [["two"], ["two"]]


def test_for_people_a_line_says_it_all(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/chat", 0.3)
    envspec.write(f"models: {{chat: {{repo: org/chat}}, far: {{repo: org/far, revision: {'a' * 40}}}}}\n")
    assert envspec("models", "pull", "org/chat").returncode == 0
    lines = envspec("models", "list").stdout.splitlines()
    commit = hub.commit("org/chat")[:12]
    assert [line.split() for line in lines] == [
        ["●", "chat", "org/chat@main", commit, "300", "KB", "cached", "local"],
        ["○", "far", "org/far@aaaaaaaaaaaa", "aaaaaaaaaaaa", "missing", "local"],
    ]


def test_another_programs_download_is_there_but_not_verified(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/chat", 0.3)
    envspec.write("models: {chat: {repo: org/chat}, router: {repo: org/chat, tokenizer_only: true}}\n")
    download(envspec, "org/chat")
    assert {model["state"] for model in listed(envspec).values()} == {"unverified"}


@pytest.mark.parametrize("whose", ["ours", "another-programs"])
def test_a_file_of_another_size_would_be_fetched_again(envspec: Any, hub: Hub, whose: str) -> None:
    write_model(hub.root, "org/chat", 0.3)
    envspec.write("models: {chat: {repo: org/chat}, router: {repo: org/chat, tokenizer_only: true}}\n")
    if whose == "ours":
        assert envspec("models", "pull").returncode == 0
    else:
        download(envspec, "org/chat")
    os.truncate(Path(listed(envspec)["chat"]["path"]) / "model.safetensors", 100)
    models = listed(envspec)
    assert (models["chat"]["state"], models["chat"]["cached"]) == ("damaged", False)
    assert models["router"]["cached"]
    assert envspec.json("list")[0]["uncached"] == ["chat"]
    assert envspec.json("show")["models"]["chat"]["cached"] is False
    assert envspec("models", "pull").returncode == 0
    assert listed(envspec)["chat"]["state"] == "cached"


def test_what_is_there_in_part_would_be_fetched(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/chat", 0.3)
    envspec.write("models: {chat: {repo: org/chat}}\n")
    download(envspec, "org/chat", "config.json", "tokenizer.json")
    assert (listed(envspec)["chat"]["state"], listed(envspec)["chat"]["cached"]) == ("partial", False)


def test_an_environment_that_is_wrong_is_left_out_and_named(envspec: Any) -> None:
    envspec.write("models: {a: {repo: org/a}}\n", "good")
    envspec.write("models: {b: {rep: org/b}}\n", "bad")
    result = envspec("models", "list")
    assert (result.returncode, result.stdout.split()[1]) == (0, "a")
    assert "bad.yaml:1:14: left out: the model 'b' has no key 'rep'" in result.stderr
    assert envspec("models", "list", "bad").returncode == 2


def test_no_model_is_said_to_people_and_an_empty_list_to_programs(envspec: Any, web: str) -> None:
    envspec.write(web)
    result = envspec("models", "list")
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == "No environment here declares a model.\n"
    assert envspec.json("models", "list") == []


def test_show_says_what_is_known_without_asking(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/chat", 0.1)
    pinned = "b" * 40
    envspec.write(f"models: {{chat: {{repo: org/chat}}, far: {{repo: org/far, revision: {pinned}}}}}\n")

    before = envspec.json("show")["models"]
    assert "commit" not in before["chat"]
    assert before["far"]["commit"] == pinned
    assert before["far"]["path"].endswith(f"/models--org--far/snapshots/{pinned}")
    assert hub.requests == []

    assert envspec("models", "pull", "org/chat").returncode == 0
    after = envspec.json("show")["models"]["chat"]
    assert (after["commit"], after["cached"]) == (hub.commit("org/chat"), True)


def test_list_counts_the_models_that_are_not_here(envspec: Any) -> None:
    envspec.write("description: Two.\nmodels: {a: {repo: org/a}, b: {path: /none}}\n", "two")
    envspec.write("models: {a: {repo: org/a}}\n", "one")
    text = envspec("list").stdout
    assert "one  needs 1 model that is not cached\n" in text
    assert "two  needs 2 models that are not cached · Two.\n" in text
    assert [one["uncached"] for one in envspec.json("list")] == [["a"], ["a", "b"]]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("models", "lst"), "there is no command 'lst'; did you mean 'list'?"),
        (("models", "list", "nope"), "there is no environment 'nope'"),
    ],
)
def test_what_is_called_wrong_is_named(envspec: Any, argv: tuple[str, ...], said: str) -> None:
    result = envspec(*argv)
    assert result.returncode == 2
    assert said in result.stderr


def test_json_is_one_document(envspec: Any) -> None:
    envspec.write("models: {a: {repo: org/a}}\n")
    assert json.loads(envspec("models", "list", "--format", "json").stdout)[0]["name"] == "a"
