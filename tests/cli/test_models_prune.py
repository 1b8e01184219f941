"""`envspec models prune`: what no environment refers to goes, what others downloaded stays."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.another_program import download
from tests.cli.test_terminal import Terminal
from tests.models.hub_models import write_model
from tests.models.hub_server import Hub

BOTH = "models: {chat: {repo: org/chat}, tiny: {synthetic: {architecture: qwen3}}}\n"
NONE = "models: {other: {synthetic: {architecture: llama}}}\n"


@pytest.fixture
def chat(envspec: Any, hub: Hub) -> Path:
    """A project that has fetched two models and refers to neither any more."""
    write_model(hub.root, "org/chat", 0.3)
    envspec.write(BOTH)
    assert envspec("models", "pull").returncode == 0
    path = Path(envspec.json("models", "list")[0]["path"])
    envspec.write(NONE)
    return path


def test_what_is_referred_to_stays(envspec: Any, chat: Path) -> None:
    envspec.write(BOTH, "second")
    result = envspec("models", "prune", "--yes")
    assert (result.returncode, result.stdout) == (0, "There is nothing to remove.\n")
    assert chat.is_dir()


def test_what_nobody_refers_to_is_said_and_removed(envspec: Any, chat: Path) -> None:
    result = envspec("models", "prune", "--yes")
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert lines[0].split()[:4] == ["1.24", "MB", "synthetic", Path(lines[0].split()[-1]).name]
    assert lines[1].split() == ["300", "KB", "org/chat", "at", chat.name[:12], str(chat)]
    assert lines[2] == "1.55 MB freed."
    assert not chat.parents[1].exists()
    assert list((Path(envspec.environ["ENVSPEC_CACHE_DIR"]) / "models" / "synthetic").glob("qwen3*")) == []
    assert list((Path(envspec.environ["ENVSPEC_CACHE_DIR"]) / "models" / "hub").rglob("*.*")) == []
    assert envspec("models", "prune", "--yes").stdout == "There is nothing to remove.\n"


def test_what_was_removed_can_be_fetched_again(envspec: Any, chat: Path) -> None:
    assert envspec("models", "prune", "--yes").returncode == 0
    envspec.write(BOTH)
    assert envspec("models", "pull").returncode == 0
    assert chat.is_dir()
    assert envspec("models", "verify").returncode == 0


def test_an_older_commit_of_a_branch_goes_and_what_both_share_stays(envspec: Any, hub: Hub, chat: Path) -> None:
    (hub.root / "org/chat/README.md").write_text("newer")
    envspec.write(BOTH)
    assert envspec("models", "pull").returncode == 0
    result = envspec("models", "prune", "--yes")
    assert "org/chat at" in result.stdout
    assert not chat.exists()
    assert (chat.parent / hub.commit("org/chat")).is_dir()
    assert envspec("models", "verify").returncode == 0


def test_a_dry_run_removes_nothing(envspec: Any, chat: Path) -> None:
    assert envspec("models", "prune", "--dry-run").stdout.splitlines()[-1] == "1.55 MB would be freed."
    assert chat.is_dir()


def test_another_programs_download_stays_even_where_envspec_has_verified_it(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/chat", 0.3)
    envspec.write("models: {chat: {repo: org/chat}}\n")
    download(envspec, "org/chat")
    assert envspec("models", "pull").returncode == 0
    envspec.write(NONE)
    assert envspec("models", "prune", "--yes").stdout == "There is nothing to remove.\n"


def test_what_another_program_began_and_envspec_completed_stays(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/chat", 0.3)
    envspec.write("models: {chat: {repo: org/chat}}\n")
    download(envspec, "org/chat", "config.json")
    assert envspec("models", "pull").returncode == 0
    envspec.write(NONE)
    assert envspec("models", "prune", "--yes").stdout == "There is nothing to remove.\n"


def test_a_commit_to_which_another_program_added_files_stays(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/chat", 0.3)
    envspec.write("models: {chat: {repo: org/chat, tokenizer_only: true}}\n")
    assert envspec("models", "pull").returncode == 0
    download(envspec, "org/chat")
    envspec.write(NONE)
    assert envspec("models", "prune", "--yes").stdout == "There is nothing to remove.\n"


def test_a_file_that_only_others_have_in_the_same_cache_is_left_alone(envspec: Any, hub: Hub, chat: Path) -> None:
    write_model(hub.root, "org/theirs", 0.1)
    download(envspec, "org/theirs")
    assert envspec("models", "prune", "--yes").returncode == 0
    assert not chat.exists()
    assert (
        len(list(Path(envspec.environ["HF_HOME"]).glob("hub/models--org--theirs/snapshots/*/model.safetensors"))) == 1
    )


def test_it_asks_first_and_no_means_no(envspec: Any, chat: Path, eventually: Any) -> None:
    for answer, remains in (("n", True), ("y", False)):
        terminal = Terminal(envspec, "models", "prune")
        eventually(lambda terminal=terminal: "Remove these, and free 1.55 MB? [y/N]" in terminal.words, "the question")
        terminal.type(f"{answer}\n")
        assert terminal.end() == 0
        assert ("Nothing was removed." if remains else "1.55 MB freed.") in terminal.words
        assert chat.is_dir() is remains


def test_where_nobody_can_be_asked_nothing_is_removed(envspec: Any, chat: Path) -> None:
    result = envspec("models", "prune")
    assert result.returncode == 2
    assert "nobody can be asked here whether these shall be removed" in result.stderr
    assert "--yes removes them, --dry-run shows them" in result.stderr
    assert chat.is_dir()


def test_outside_of_a_project_nothing_says_what_is_needed(envspec: Any, chat: Path) -> None:
    shutil.rmtree(envspec.project / "environments")
    result = envspec("models", "prune", "--yes")
    assert result.returncode == 2
    assert "there are no environments here, so nothing says which models are needed" in result.stderr
    assert chat.is_dir()


def test_an_environment_that_cannot_be_read_may_need_anything(envspec: Any, chat: Path) -> None:
    envspec.write("models: {a: {rep: x}}\n", "wrong")
    result = envspec("models", "prune", "--yes")
    assert (result.returncode, "the model 'a' has no key 'rep'" in result.stderr) == (2, True)
    assert chat.is_dir()
