"""A model at a path: what makes it one, and what is said of a place that holds none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envspec.errors import ModelUnavailableError
from envspec.models.local import Local, LocalSource
from envspec.models.source import Host
from tests.models.hub_models import write_model

SOURCE = LocalSource()
HOST = Host.of({})


def is_found(place: Path) -> bool:
    return SOURCE.find(Local(path=str(place)), HOST).complete


def refusal(place: Path) -> tuple[str, str]:
    options = Local(path=str(place))
    found = SOURCE.find(options, HOST)
    assert not found.complete
    with pytest.raises(ModelUnavailableError) as caught:
        SOURCE.fetch(options, found, HOST, lambda _: None)
    return str(caught.value), caught.value.hint


def test_a_directory_with_config_and_weights_is_a_model(tmp_path: Path) -> None:
    assert is_found(write_model(tmp_path, "whole", 0.01))


@pytest.mark.parametrize("name", ["model.gguf", "model.safetensors", "model.pt"])
def test_a_file_of_weights_is_a_model(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"weights")
    assert is_found(tmp_path / name)


def test_gguf_is_known_by_its_begin_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "sha256-0123").write_bytes(b"GGUF\x03\x00\x00\x00")
    assert is_found(tmp_path / "sha256-0123")


def test_any_other_file_is_none() -> None:
    message, hint = refusal(Path("/etc/passwd"))
    assert message == "/etc/passwd is no file of weights, nor a directory with a model"
    assert "config.json, a tokenizer and all weights" in hint


def test_nothing_is_said_to_be_nothing_with_what_to_do(tmp_path: Path) -> None:
    message, hint = refusal(tmp_path / "none")
    assert message == f"there is nothing at {tmp_path}/none"
    assert hint == "put the model there, or correct `path`, which is relative to the file that says it"


def test_a_link_into_nowhere_says_where_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/gone")
    assert refusal(tmp_path / "link")[0].endswith("/link, a link to /gone, which is not there")


@pytest.mark.parametrize(
    ("present", "missing"),
    [
        ([], "config.json, weights (*.safetensors)"),
        (["config.json"], "weights (*.safetensors)"),
        (["model.safetensors"], "config.json"),
    ],
)
def test_what_a_directory_lacks_is_named(tmp_path: Path, present: list[str], missing: str) -> None:
    for name in present:
        (tmp_path / name).write_text("{}")
    message, _ = refusal(tmp_path)
    assert message == f"the model at {tmp_path} is not whole: {missing} missing"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is hidden from root")
def test_a_directory_that_cannot_be_read(tmp_path: Path) -> None:
    model = write_model(tmp_path, "hidden", 0.01)
    model.chmod(0)
    assert "cannot be read: Permission denied" in refusal(model)[0]


def test_a_path_through_a_file_or_too_long_is_an_answer(tmp_path: Path) -> None:
    assert "there is nothing at" in refusal(Path("/etc/passwd/x"))[0]
    assert "cannot be read: File name too long" in refusal(tmp_path / ("x" * 300))[0]


def test_pointers_of_git_lfs_are_no_weights(tmp_path: Path) -> None:
    folder = write_model(tmp_path, "cloned", 0.01)
    weights = folder / "model.safetensors"
    weights.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 10000\n")
    for place in (folder, weights):
        message, hint = refusal(place)
        assert message == (
            f"the model at {place} is not whole: of model.safetensors there is no more than a pointer of Git LFS"
        )
        assert hint == f"`git lfs pull` in {folder} gets the files themselves"
