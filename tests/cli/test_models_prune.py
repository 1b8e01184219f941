"""`envspec models prune`: what no environment refers to goes, what others downloaded stays."""

from __future__ import annotations

import json
import re
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.cli.another_program import download
from tests.cli.conftest import PATIENCE, WEB, eventually
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
    envspec.write(NONE)
    return Path(envspec.environ["HF_HOME"]) / "hub/models--org--chat/snapshots" / hub.commit("org/chat")


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


def test_what_another_process_gets_is_left_alone_and_said(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/big", 1)
    envspec.write(NONE)
    asked, go_on = threading.Event(), threading.Event()

    def before(path: str) -> None:
        if path.endswith("/model.safetensors"):
            asked.set()
            go_on.wait(PATIENCE)

    hub.before = before
    pulling = envspec.start("models", "pull", "org/big")
    assert asked.wait(PATIENCE)
    result = envspec("models", "prune", "--yes")
    go_on.set()

    assert pulling.end() == 0, pulling.err
    who = rf"org/big: pid {pulling.process.pid} \(.*envspec models pull org/big\) gets it; it is left alone"
    assert (result.returncode, result.stderr) == (0, "")
    said, nothing = result.stdout.splitlines()
    assert re.fullmatch(who, said)
    assert nothing == "There is nothing to remove."
    assert envspec("models", "pull", "org/big").stdout.split()[1] == "cached"


def test_what_somebody_has_come_to_get_since_it_was_listed_is_left_alone(envspec: Any, chat: Path, hub: Hub) -> None:
    hub.fail(503, times=99, on="/resolve/")
    terminal = Terminal(envspec, "models", "prune")
    eventually(lambda: "[y/N]" in terminal.words, "the question")
    (chat / "config.json").unlink()
    pulling = envspec.start("models", "pull", "org/chat")
    pulling.until("again in")
    terminal.type("y\n")
    assert terminal.end() == 0
    pulling.signal(signal.SIGINT)
    pulling.end()
    assert "gets it; it is left alone" in terminal.words
    assert "1.24 MB freed." in terminal.words
    assert (chat / "model.safetensors").is_file()


def test_what_a_session_uses_is_left_alone_and_said(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/chat", 0.3)
    envspec.write(f"{WEB}    models: [chat, tiny]\n{BOTH}")
    session = envspec.json("up", "-d")["id"]
    homes = Path(envspec.environ["HF_HOME"]), Path(envspec.environ["ENVSPEC_CACHE_DIR"])
    paths = [*homes[0].glob("hub/models--org--chat/snapshots/*"), *homes[1].glob("models/synthetic/qwen3-*")]
    assert len(paths) == 2
    envspec.write(NONE)

    result = envspec("models", "prune", "--yes")

    *said, nothing = result.stdout.splitlines()
    assert (result.returncode, nothing) == (0, "There is nothing to remove.")
    assert [line.partition(":")[2] for line in said] == [f" session {session} uses it; it is left alone"] * 2
    assert all(path.is_dir() for path in paths)
    envspec("down", session)
    assert "1.55 MB freed." in envspec("models", "prune", "--yes").stdout
    assert not any(path.exists() for path in paths)


@pytest.mark.parametrize("gone", ["one", "all"])
def test_a_snapshot_with_links_into_nowhere_goes_with_all_that_is_noted_of_it(
    envspec: Any, chat: Path, gone: str
) -> None:
    for link in [chat / "model.safetensors"] if gone == "one" else list(chat.iterdir()):
        link.resolve().unlink()
    result = envspec("models", "prune", "--yes")
    assert (result.returncode, result.stderr) == (0, "")
    assert str(chat) in result.stdout
    assert not chat.parents[1].exists()
    assert list((Path(envspec.environ["ENVSPEC_CACHE_DIR"]) / "models" / "hub").rglob("*.*")) == []
    assert envspec("models", "prune", "--yes").stdout == "There is nothing to remove.\n"


def test_what_could_not_be_removed_can_be_removed_by_the_next(envspec: Any, chat: Path) -> None:
    reference = chat.parents[1] / "refs" / "main"
    reference.unlink()
    reference.symlink_to(reference)  # which nobody can read
    assert "cannot be removed" in envspec("models", "prune", "--yes").stderr
    reference.unlink()
    (chat.parents[1] / "blobs" / json.loads(_claim(envspec))["files"]["config.json"]).write_text("{}")
    assert envspec("models", "prune", "--yes").stdout.endswith("2 B freed.\n")
    assert not chat.parents[1].exists()


def _claim(envspec: Any) -> str:
    (path,) = Path(envspec.environ["ENVSPEC_CACHE_DIR"]).glob("models/hub/*/*.claim")
    return path.read_text()


@pytest.mark.parametrize("referred", [True, False])
def test_what_a_killed_download_left_is_counted_and_removed(envspec: Any, hub: Hub, *, referred: bool) -> None:
    write_model(hub.root, "org/big", 3)
    hub.spoil("model.safetensors", stall=2_000_000, times=9)
    envspec.write("models: {big: {repo: org/big}}\n" if referred else NONE)
    pulling = envspec.start("models", "pull", "org/big")
    home = Path(envspec.environ["HF_HOME"])
    (partial,) = eventually(lambda: [p for p in home.rglob("*.incomplete") if p.stat().st_size > 10**6], "a part")
    theirs = partial.with_name("ab12.12345678.incomplete")
    theirs.write_bytes(b"another program's")
    pulling.signal(signal.SIGKILL)
    pulling.end()
    size = partial.stat().st_size

    result = envspec("models", "prune", "--yes")

    freed = float(result.stdout.split()[-3])
    assert result.stdout.endswith(" MB freed.\n")
    assert size / 10**6 == pytest.approx(freed, abs=0.01)
    assert not partial.exists()
    assert theirs.exists()
    assert envspec("models", "prune", "--yes").stdout == "There is nothing to remove.\n"


def test_what_killed_the_making_of_a_model_left_is_removed(envspec: Any) -> None:
    large = "{architecture: qwen3, hidden_size: 1024, intermediate_size: 4096, layers: 4}"
    envspec.write(f"models: {{large: {{synthetic: {large}}}}}\n")
    made = Path(envspec.environ["ENVSPEC_CACHE_DIR"]) / "models" / "synthetic"
    running = envspec.start("models", "pull")
    eventually(lambda: list(made.glob(".*.part-*/*.safetensors")), "the making")
    result = envspec("models", "prune", "--yes")
    assert re.search(r"^synthetic qwen3-\w+: pid \d+ \(.*\) makes it; it is left alone$", result.stdout, re.MULTILINE)
    running.signal(signal.SIGKILL)
    running.end()
    assert ", in part" in envspec("models", "prune", "--yes").stdout
    assert not list(made.glob(".*.part-*"))


@pytest.mark.parametrize(("key", "code"), [("\x04", 1), ("\x03", 130)], ids=["ctrl-d", "ctrl-c"])
def test_no_answer_is_no(envspec: Any, chat: Path, key: str, code: int) -> None:
    terminal = Terminal(envspec, "models", "prune")
    eventually(lambda: "[y/N]" in terminal.words, "the question")
    if code == 1:
        terminal.type(key)
    else:
        terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == code
    assert terminal.words.endswith("\r\nNothing was removed.\r\n")
    assert chat.is_dir()


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
