"""What is cached is found at once and trusted only when it was verified; what a branch was is remembered."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from envspec.errors import ModelUnavailableError
from envspec.models.engines.loader import ModelLoader
from tests.models.hub_machine import REPO, Machine


def pinned(machine: Machine) -> str:
    return machine.hub.commit(REPO)


def test_a_branch_is_resolved_by_one_request_and_the_files_come_whole(machine: Machine) -> None:
    machine.publish(3, parts=2)

    resolved = machine.resolve()

    assert [request.path for request in machine.hub.requests] == [f"/api/models/{REPO}/revision/main"]
    assert resolved.commit == pinned(machine)
    assert not resolved.complete
    found = machine.fetch()
    assert found.complete
    assert found.path == resolved.path
    assert machine.has_exactly(found.path)


def test_cached_and_pinned_makes_no_request(machine: Machine) -> None:
    machine.publish()
    machine.fetch()
    machine.hub.requests.clear()

    assert machine.find(revision=pinned(machine)).complete
    assert machine.fetch(revision=pinned(machine)).complete
    assert machine.hub.requests == []


def test_offline_makes_no_request_and_takes_the_branch_as_it_was(machine: Machine) -> None:
    machine.publish()
    online = machine.fetch()
    machine.hub.requests.clear()
    machine.extra["HF_HUB_OFFLINE"] = "1"

    assert machine.find() == machine.resolve() == machine.fetch() == online
    assert machine.hub.requests == []


def test_finding_imports_nothing_that_downloading_needs(machine: Machine) -> None:
    machine.publish()
    commit = machine.fetch().commit
    script = f"""
import os, sys
from envspec.models import SOURCES
from envspec.models.source import Host
source = SOURCES["repo"]
found = source.find(source.options(repo={REPO!r}, revision={commit!r}), Host.of(os.environ))
assert found.complete, found
assert not {{"huggingface_hub", "httpx2", "requests"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], env=machine.environ, check=True)


@pytest.mark.parametrize("listed", [True, False], ids=["with-its-listing", "without-a-listing"])
@pytest.mark.parametrize("offline", ["0", "1"], ids=["online", "offline"])
def test_a_cache_that_somebody_else_filled_is_verified_and_taken(
    machine: Machine, *, listed: bool, offline: str
) -> None:
    from huggingface_hub import snapshot_download

    machine.publish(2, parts=2)
    snapshot_download(REPO, cache_dir=machine.host.hub_cache, endpoint=machine.url)
    (listing,) = machine.repo.glob("trees/*.json")
    if not listed:
        listing.unlink()
    machine.hub.requests.clear()
    machine.extra["HF_HUB_OFFLINE"] = offline
    commit = pinned(machine)
    assert not machine.find(revision=commit).complete

    assert machine.fetch(revision=commit).complete

    assert machine.hub.bytes_of_files() == 0
    assert len(machine.hub.requests) == (0 if listed or offline == "1" else 1)
    assert machine.find(revision=commit).complete


@pytest.mark.parametrize("offline", ["0", "1"], ids=["online", "offline"])
def test_a_damaged_file_of_somebody_else_is_mended_or_refused(machine: Machine, offline: str) -> None:
    from huggingface_hub import snapshot_download

    machine.publish()
    path = Path(snapshot_download(REPO, cache_dir=machine.host.hub_cache, endpoint=machine.url))
    with (path / "model.safetensors").open("r+b") as file:
        file.seek(1000)
        file.write(b"other bytes")
    machine.extra["HF_HUB_OFFLINE"] = offline
    if offline == "1":
        with pytest.raises(ModelUnavailableError, match=r"model\.safetensors has the SHA-256 .* HF_HUB_OFFLINE"):
            machine.fetch()
        return
    machine.hub.requests.clear()
    assert machine.has_exactly(machine.fetch().path)
    assert [request.path.rpartition("/")[2] for request in machine.hub.gets()] == ["model.safetensors"]


def test_offline_says_what_is_missing(machine: Machine) -> None:
    machine.publish()
    path = Path(machine.fetch().path)
    (path / "config.json").unlink()
    machine.extra["HF_HUB_OFFLINE"] = "1"

    assert not machine.find().complete
    with pytest.raises(ModelUnavailableError, match=r"config\.json is missing.*HF_HUB_OFFLINE"):
        machine.fetch()


def test_offline_and_never_fetched_is_said(machine: Machine) -> None:
    machine.extra["HF_HUB_OFFLINE"] = "1"
    with pytest.raises(ModelUnavailableError, match=r"org/tiny \(main\) is not in the cache"):
        machine.resolve()


@pytest.mark.parametrize("how", ["shorter", "other-bytes", "gone"])
def test_a_file_that_changed_since_it_was_verified_is_not_trusted(machine: Machine, how: str) -> None:
    machine.publish()
    found = machine.fetch()
    weights = Path(found.path) / "model.safetensors"
    if how == "shorter":
        os.truncate(weights, 1000)
    elif how == "other-bytes":
        weights.write_bytes(bytes(weights.stat().st_size))
    else:
        weights.resolve().unlink()

    assert not machine.find(revision=found.commit).complete
    assert machine.has_exactly(machine.fetch().path)
    if how == "shorter":
        wrong = "model.safetensors has 1,000 bytes where 300,000 belong"
        assert machine.reasons == [f"{wrong}: it is downloaded again"]


@pytest.mark.parametrize("how", ["touched", "copied", "without-links"])
@pytest.mark.parametrize("offline", ["0", "1"], ids=["online", "offline"])
def test_a_cache_that_was_restored_is_verified_by_its_digests_without_a_request(
    machine: Machine, how: str, offline: str
) -> None:
    machine.publish(1, parts=2)
    commit = machine.fetch().commit
    shutil.rmtree(machine.repo / "trees", ignore_errors=True)
    if how == "touched":
        for blob in (machine.repo / "blobs").iterdir():
            blob.touch()
    else:
        saved = machine.folder / "saved"
        shutil.copytree(machine.repo, saved, symlinks=how == "copied", copy_function=shutil.copyfile)
        shutil.rmtree(machine.repo)
        saved.rename(machine.repo)
    machine.hub.requests.clear()
    machine.extra["HF_HUB_OFFLINE"] = offline
    assert not machine.find(revision=commit).complete

    assert machine.fetch(revision=commit).complete

    assert machine.hub.requests == []
    assert machine.find(revision=commit).complete


def test_a_restored_file_with_other_bytes_is_fetched_again(machine: Machine) -> None:
    machine.publish(1, parts=2)
    found = machine.fetch()
    shutil.rmtree(machine.repo / "trees", ignore_errors=True)
    weights = Path(found.path) / "model-00002-of-00002.safetensors"
    weights.write_bytes(bytes(weights.stat().st_size))
    machine.hub.requests.clear()

    assert machine.has_exactly(machine.fetch(revision=found.commit).path)

    assert [request.path.rpartition("/")[2] for request in machine.hub.gets()] == [weights.name]


def test_a_branch_that_moves_is_followed_and_old_blobs_are_kept(machine: Machine) -> None:
    folder = machine.publish(2)
    first = machine.fetch()
    (folder / "config.json").write_text("{}")
    machine.hub.requests.clear()

    second = machine.fetch()

    assert second.commit != first.commit
    assert machine.has_exactly(second.path)
    assert [request.path.rpartition("/")[2] for request in machine.hub.gets()] == ["config.json"]
    assert machine.find(revision=first.commit).complete


def test_a_branch_that_moves_between_two_requests_gives_one_commit_and_no_mixture(machine: Machine) -> None:
    folder = machine.publish()
    before = machine.hub.commit(REPO)

    def move(path: str) -> None:
        if "/tree/" in path:
            (folder / "config.json").write_text('{"moved": true}')

    machine.hub.before = move
    found = machine.fetch()

    assert found.commit == before
    assert "moved" not in (Path(found.path) / "config.json").read_text()
    assert machine.hub.commit(REPO) != before


def test_a_loader_has_one_commit_of_a_branch_that_moves(machine: Machine) -> None:
    folder = machine.publish()

    def move(path: str) -> None:
        if "/revision/" in path:
            (folder / "README.md").write_text(str(machine.hub.requests))

    machine.hub.before = move
    declared: dict[str, dict[str, object]] = {"a": {"repo": REPO}, "b": {"repo": REPO, "tokenizer_only": True}}
    with ModelLoader(declared, environ=machine.environ) as loader:
        paths = {loader(name, preload_only=True) for name in ("a", "b", REPO)}

    assert len(paths) == 1
    assert sum("/revision/" in request.path for request in machine.hub.requests) == 1


def test_a_hub_that_cannot_be_reached_leaves_the_branch_as_it_was_and_that_is_told(machine: Machine) -> None:
    machine.publish()
    known = machine.fetch()
    machine.url = "http://127.0.0.1:9"  # discard: nobody listens

    assert machine.fetch() == known
    assert machine.reasons[-1].endswith(f"; main is taken to be at {known.commit[:12]}, where it was last seen")


def test_an_interrupted_download_does_not_move_the_branch_for_offline_use(machine: Machine) -> None:
    folder = machine.publish()
    complete = machine.fetch()
    (folder / "config.json").write_text("{}")
    machine.hub.spoil("config.json", times=99, flip=0)
    with pytest.raises(ModelUnavailableError):
        machine.fetch()
    machine.extra["HF_HUB_OFFLINE"] = "1"

    assert machine.resolve() == complete


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"include": ("*.json",)}, {"config.json", "tokenizer.json"}),
        ({"exclude": ("*.safetensors", "README*")}, {"config.json", "tokenizer.json"}),
        ({"tokenizer_only": True}, {"README.md", "config.json", "tokenizer.json"}),
    ],
)
def test_only_what_is_asked_for_is_fetched(machine: Machine, options: dict[str, object], names: set[str]) -> None:
    machine.publish()
    found = machine.fetch(**options)
    assert {path.name for path in Path(found.path).iterdir()} == names
    assert not machine.find(revision=found.commit).complete, "another selection is not all of it"
    assert machine.has_exactly(machine.fetch().path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"include": ("*.gguf",)}, "no file that include leaves"),
        ({"include": ("*.safetensors",), "tokenizer_only": True}, "no file that include and tokenizer_only leave"),
        ({"include": ("*.json",), "exclude": ("*",)}, "no file that include and exclude leave"),
    ],
)
def test_what_leaves_nothing_is_refused_by_its_names(machine: Machine, options: dict[str, object], said: str) -> None:
    machine.publish()
    with pytest.raises(ModelUnavailableError, match=f"^{REPO} has {said}") as caught:
        machine.fetch(**options)
    assert "config.json" in caught.value.hint
