"""`envspec models verify`: every byte again, what is wrong by name, and what is wrong is not trusted any more."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.another_program import download
from tests.models.hub_models import digest_of, write_model
from tests.models.hub_server import Hub

CHAT = "models: {chat: {repo: org/chat}}\n"


@pytest.fixture
def source(hub: Hub) -> Path:
    return write_model(hub.root, "org/chat", 0.3)


def snapshot_of(envspec: Any, name: str = "chat") -> Path:
    (model,) = [model for model in envspec.json("models", "list") if model["name"] == name]
    return Path(model["path"])


def damage(file: Path) -> None:
    """Change a byte, and leave size and time as they were."""
    status = file.stat()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_what_is_as_it_was_is_well_without_a_request(envspec: Any, hub: Hub, source: Path) -> None:
    envspec.write("models: {chat: {repo: org/chat}, tiny: {synthetic: {architecture: qwen3}}, near: {path: ../near}}\n")
    write_model(envspec.project, "near", 0.1)
    assert envspec("models", "pull").returncode == 0
    asked = len(hub.requests)
    result = envspec("models", "verify")
    size = sum(file.stat().st_size for file in source.iterdir())
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[:2] == [
        f"● chat  org/chat@main  4 files, {size / 1000:.0f} KB",
        "● tiny  synthetic qwen3  6 files, 1.24 MB",
    ]
    assert result.stdout.splitlines()[2].endswith("near  4 files, 100 KB")
    assert len(hub.requests) == asked


@pytest.mark.parametrize(
    ("name", "said"), [("model.safetensors", "has the SHA-256 "), ("config.json", "has the git SHA-1 ")]
)
def test_a_changed_byte_is_found_and_the_next_pull_mends_it(envspec: Any, source: Path, name: str, said: str) -> None:
    envspec.write(CHAT)
    assert envspec("models", "pull").returncode == 0
    damage(snapshot_of(envspec) / name)
    assert envspec.json("models", "list")[0]["state"] == "cached"  # by all that can be seen without reading it

    result = envspec("models", "verify")
    assert result.returncode == 3
    assert result.stdout.splitlines()[0] == "✗ chat  org/chat@main"
    assert result.stdout.splitlines()[1].startswith(f"    {name} {said}")
    assert result.stderr == "`envspec models pull ENV` gets or makes again what it can.\n"
    (listed,) = envspec.json("models", "list")
    assert (listed["state"], listed["cached"]) == ("damaged", False)
    assert envspec.json("list")[0]["uncached"] == ["chat"]

    assert envspec("models", "pull").returncode == 0
    assert envspec("models", "verify").returncode == 0
    assert digest_of(snapshot_of(envspec)) == digest_of(source)


def test_a_missing_file_is_named(envspec: Any, source: Path) -> None:  # noqa: ARG001
    envspec.write(CHAT)
    assert envspec("models", "pull").returncode == 0
    (snapshot_of(envspec) / "model.safetensors").unlink()
    result = envspec("models", "verify")
    assert (result.returncode, result.stdout.splitlines()[1]) == (3, "    model.safetensors is missing")


def test_another_programs_download_is_read_as_well(envspec: Any, source: Path) -> None:  # noqa: ARG001
    envspec.write(CHAT)
    download(envspec, "org/chat")
    assert envspec("models", "verify").returncode == 0
    damage(snapshot_of(envspec) / "model.safetensors")
    assert "model.safetensors has the SHA-256" in envspec("models", "verify").stdout
    assert envspec.json("models", "list")[0]["state"] == "damaged"


def test_a_synthetic_model_that_is_not_what_its_options_make_is_made_again(envspec: Any) -> None:
    envspec.write("models: {tiny: {synthetic: {architecture: qwen3}}}\n")
    assert envspec("models", "pull").returncode == 0
    damage(snapshot_of(envspec, "tiny") / "model.safetensors")
    result = envspec("models", "verify")
    assert result.stdout.splitlines()[1] == "    model.safetensors is not what these options make"
    assert envspec("models", "pull").returncode == 0
    assert envspec("models", "verify").returncode == 0


def test_what_is_not_here_is_wrong(envspec: Any, hub: Hub) -> None:  # noqa: ARG001
    envspec.write("models: {chat: {repo: org/chat}, near: {path: /nowhere}}\n")
    result = envspec("models", "verify")
    assert result.returncode == 3
    assert "    it is not in the cache\n" in result.stdout
    assert "    there is nothing at /nowhere\n" in result.stdout


def test_a_path_is_looked_at_for_what_an_engine_would_miss(envspec: Any) -> None:
    folder = write_model(envspec.project, "near", 0.1, parts=2)
    (folder / "model-00002-of-00002.safetensors").unlink()
    envspec.write("models: {near: {path: ../near}}\n")
    result = envspec("models", "verify")
    assert (result.returncode, result.stdout.splitlines()[1]) == (
        3,
        "    model-00002-of-00002.safetensors is missing",
    )


def test_of_many_faults_ten_are_named(envspec: Any) -> None:
    folder = write_model(envspec.project, "near", 0.1, parts=14)
    for part in folder.glob("*.safetensors"):
        part.unlink()
    envspec.write("models: {near: {path: ../near}}\n")
    lines = envspec("models", "verify").stdout.splitlines()
    assert (len(lines), lines[-1]) == (12, "    and 4 more")


def test_an_environment_without_models_is_well(envspec: Any, web: str) -> None:
    envspec.write(web)
    result = envspec("models", "verify")
    assert (result.returncode, result.stderr) == (0, "No environment here declares a model.\n")
