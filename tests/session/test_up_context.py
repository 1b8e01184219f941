"""`with envspec.up("name") as environment`: an environment for the length of a block."""

from __future__ import annotations

from pathlib import Path
from urllib.request import urlopen

import pytest

import envspec

WEB = """
version: 1
vars: {page: hello}
services:
  web:
    use: http-server
    files: {index.html: "{{ vars.page }}"}
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENVSPEC_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "local.yaml").write_text(WEB)
    (tmp_path / "other.yaml").write_text(WEB.replace("hello", "other"))
    return tmp_path


def test_the_default_environment_is_up_inside_the_block_and_gone_after_it() -> None:
    with envspec.up() as environment:
        url = environment["web"].url("http")
        with urlopen(url) as page:
            assert page.read() == b"hello"

    assert environment.state == "stopped"
    with pytest.raises(OSError, match="refused"):
        urlopen(url)


def test_an_environment_is_found_by_its_path_and_its_variables_are_set(project: Path) -> None:
    with (
        envspec.up(project / "other.yaml", sets={"page": "set"}) as environment,
        urlopen(environment["web"].url()) as page,
    ):
        assert page.read() == b"set"


def test_an_exception_in_the_block_passes_through_and_still_stops_everything() -> None:
    with pytest.raises(KeyError), envspec.up() as environment:
        raise KeyError

    assert environment.state == "stopped"


def test_a_file_that_is_wrong_is_told_before_the_block(project: Path) -> None:
    (project / "other.yaml").write_text(WEB.replace("files", "flies"))

    with pytest.raises(envspec.SpecError) as caught, envspec.up(project / "other.yaml"):
        pytest.fail("the block was entered")

    assert [(found.line, found.code) for found in caught.value.diagnostics] == [(7, "unknown-key")]
