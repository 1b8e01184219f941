"""Models as files declare them: what each source takes, what defaults are, and what can be computed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from envspec.models.hub.options import Hub
from envspec.models.synthetic.options import Synthetic
from envspec.resolve import outline
from envspec.spec.environment import Environment

Load = Callable[..., Environment]
Refused = Callable[..., list[str]]


def test_a_repository_has_every_default_of_its_dataclass(load_text: Load) -> None:
    model = load_text("models: {chat: {repo: org/name}}").models["chat"]
    assert (model.source, model.served_name, model.repo) == ("repo", "org/name", "org/name")
    assert Hub(**model.options) == Hub(repo="org/name")


def test_a_repository_takes_every_field_of_its_dataclass(load_text: Load) -> None:
    model = load_text("""
        models:
          chat:
            repo: gpt2
            revision: v1
            include: ["*.json", "*.safetensors"]
            exclude: ["original/*"]
            tokenizer_only: true
            token_env: MY_TOKEN
            name: chat-model
            preload: false
            warm: page-cache
    """).models["chat"]
    assert Hub(**model.options) == Hub(
        repo="gpt2",
        revision="v1",
        include=("*.json", "*.safetensors"),
        exclude=("original/*",),
        tokenizer_only=True,
        token_env="MY_TOKEN",
    )
    assert (model.served_name, model.preload, model.warm) == ("chat-model", False, "page-cache")


def test_a_synthetic_model_is_a_mapping_of_its_own(load_text: Load) -> None:
    model = load_text("models: {tiny: {synthetic: {architecture: llama, layers: 2}}}").models["tiny"]
    assert Synthetic(**model.options) == Synthetic(architecture="llama", layers=2)
    assert (model.source, model.served_name, model.repo, model.warm) == ("synthetic", "tiny", None, "")


def test_a_path_is_relative_to_the_file_that_wrote_it(load_text: Load, tmp_path: Path) -> None:
    loaded = load_text(
        "extends: base/below.yaml\nmodels: {here: {path: weights}, whole: {path: /w/../whole}, up: {path: ../up}}",
        files={"base/below.yaml": "models: {below: {path: weights}}"},
    )
    paths = {name: model.options["path"] for name, model in loaded.models.items()}
    assert paths == {
        "below": str(tmp_path / "base/weights"),
        "here": str(tmp_path / "weights"),
        "whole": "/whole",
        "up": str(tmp_path.parent / "up"),
    }
    assert loaded.models["here"].served_name == "here"


def test_a_path_may_begin_at_home(load_text: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert load_text("models: {a: {path: ~/weights}}").models["a"].options == {"path": "/home/someone/weights"}


def test_what_a_model_says_may_be_computed_from_vars(load_text: Load, tmp_path: Path) -> None:
    text = """
        vars: {size: 0.6B, dev: true, files: [a, b]}
        models:
          chat:
            repo: "Qwen/Qwen3-{{ vars.size }}"
            revision: "{{ 'dev' if vars.dev }}"
            include: "{{ vars.files }}"
            warm: "{{ 'page-cache' if not vars.dev }}"
          near: {path: "weights/{{ vars.size }}"}
    """
    chat, near = load_text(text).models.values()
    assert (chat.repo, chat.options["revision"], chat.options["include"]) == ("Qwen/Qwen3-0.6B", "dev", ("a", "b"))
    assert chat.warm == ""
    assert near.options["path"] == str(tmp_path / "weights/0.6B")
    released = load_text(text, sets={"dev": "false"}).models["chat"]
    assert (released.options["revision"], released.warm) == ("main", "page-cache")


def test_null_is_not_written_so_that_a_source_can_be_chosen(load_text: Load) -> None:
    (model,) = load_text("models: {a: {repo: null, revision: null, path: /w}}").models.values()
    assert (model.source, model.options) == ("path", {"path": "/w"})


def test_a_model_of_a_base_is_replaced_as_a_whole(load_text: Load) -> None:
    loaded = load_text(
        "extends: base.yaml\nmodels: {a: {path: /w}}",
        files={"base.yaml": "models: {a: {repo: org/name, revision: v1}}"},
    )
    assert loaded.models["a"].source == "path"


def test_a_session_knows_what_to_warm_before_anything_is_leased(load_text: Load) -> None:
    (model,) = outline(load_text("models: {a: {repo: org/name, warm: page-cache}}")).models
    assert (model.source, model.warm, model.path, model.commit) == ("repo", "page-cache", "", "")


@pytest.mark.parametrize(
    "repo", ["a/b/c", "/name", "org/", "-org/name", "org/na me", "org/na--me", "a..b", "org/name.git", "x" * 97, "."]
)
def test_what_is_no_repository_is_refused_at_its_place(refused: Refused, repo: str) -> None:
    (finding,) = refused(f'models: {{a: {{repo: "{repo}"}}}}')
    assert finding == f"1:20 wrong-value: 'repo': '{repo}' is not a repository of the hub, such as org/name"


def test_a_commit_in_capitals_is_the_commit_that_the_hub_knows(load_text: Load) -> None:
    model = load_text(f"models: {{a: {{repo: org/name, revision: {'ABCDEF0123' * 4}}}}}").models["a"]
    assert model.revision == "abcdef0123" * 4
    assert Hub(repo="org/name", revision="ABCDEF0123" * 4) == Hub(**model.options)


def test_a_branch_in_capitals_stays_as_it_is(load_text: Load) -> None:
    assert load_text("models: {a: {repo: org/name, revision: Release-2}}").models["a"].revision == "Release-2"


@pytest.mark.parametrize("revision", ["refs/pr/3", "refs/convert/parquet", "v1.0", "feature/a-b_c", "x@y", "größer"])
def test_what_git_may_call_a_branch_or_tag_is_one(load_text: Load, revision: str) -> None:
    assert load_text(f"models: {{a: {{repo: org/name, revision: {revision}}}}}").models["a"].revision == revision


@pytest.mark.parametrize(
    ("revision", "found"),
    [
        ("../../x", ".."),
        ("a..b", ".."),
        ("/x", "/"),
        ("x/", "/"),
        ("a//b", "//"),
        ("a b", " "),
        ("a~1", "~"),
        ("v1:x", ":"),
        ("-x", "-"),
        (".x", "."),
        ("x/.y", "/."),
        ("x.", "."),
        ("x.lock", ".lock"),
        ("x.lock/y", ".lock"),
        ("a@{1}", "@{"),
        ("@", "@"),
    ],
)
def test_what_no_revision_can_be_called_is_refused_at_its_place(refused: Refused, revision: str, found: str) -> None:
    (finding,) = refused(f'models: {{a: {{repo: org/name, revision: "{revision}"}}}}')
    problem = f"{revision!r} is no branch, tag or commit: git has no {found!r} there"
    assert finding == f"1:40 wrong-value: 'revision': {problem}"


@pytest.mark.parametrize("name", ["''", "' '", '"{{ vars.none }}"'])
def test_a_name_that_says_nothing_is_refused_at_its_place(refused: Refused, name: str) -> None:
    (finding,) = refused(f"vars: {{none: ''}}\nmodels: {{a: {{repo: org/name, name: {name}}}}}")
    assert finding == "2:36 wrong-value: 'name': this is empty"
