"""Environments are found by name, from wherever one stands in a project, or by path."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from envspec.errors import UsageError
from envspec.spec.find import environments, find, name_of


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("environments/local.yaml", "environments/gpu-single.yml", "environments/notes.txt", "src/deep/x.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("version: 1\n")
    (tmp_path / "pyproject.toml").write_text("")
    return tmp_path


def test_names_are_looked_up_in_environments(project: Path) -> None:
    assert find("gpu-single", project) == project / "environments/gpu-single.yml"
    assert find("", project) == project / "environments/local.yaml"
    assert [file.name for file in environments(project)] == ["gpu-single.yml", "local.yaml"]


def test_names_are_looked_up_from_below(project: Path) -> None:
    assert find("local", project / "src" / "deep") == project / "environments/local.yaml"


def test_folders_in_environments_are_part_of_the_name(project: Path) -> None:
    file = project / "environments" / "vllm" / "cpu-single.yaml"
    file.parent.mkdir()
    file.write_text("version: 1\n")
    assert find("vllm/cpu-single", project / "src" / "deep") == file
    assert [name_of(found) for found in environments(project)] == ["gpu-single", "local", "vllm/cpu-single"]
    with pytest.raises(UsageError) as caught:
        find("vllm/cpu", project)
    assert "vllm/cpu-single" in caught.value.hint


def test_folders_elsewhere_are_no_part_of_the_name(project: Path) -> None:
    assert name_of(project / "src" / "deep" / "stack.yaml") == "stack"
    inner = project / "environments" / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_text("")
    assert name_of(inner / "stack.yaml") == "stack"


def test_nothing_is_looked_up_above_the_project(project: Path) -> None:
    inner = project / "src"
    (inner / "pyproject.toml").write_text("")
    assert environments(inner / "deep") == []


def test_pyproject_may_name_other_places(project: Path) -> None:
    (project / "stacks").mkdir()
    (project / "stacks" / "kv.yaml").write_text("version: 1\n")
    (project / "one.yaml").write_text("version: 1\n")
    (project / "pyproject.toml").write_text('[tool.envspec]\nenvironments = ["stacks", "one.yaml"]\n')
    assert [file.stem for file in environments(project)] == ["kv", "one"]
    (project / "pyproject.toml").write_text('[tool.envspec]\nenvironments = "stacks"\n')
    assert [file.stem for file in environments(project)] == ["kv"]


@pytest.mark.parametrize("content", ["[tool.envspec]\nenvironments = 5\n", "[tool.envspec\nenvironments = 1"])
def test_a_pyproject_that_cannot_be_read_is_named(project: Path, content: str) -> None:
    (project / "pyproject.toml").write_text(content)
    with pytest.raises(UsageError, match=r"pyproject\.toml"):
        environments(project)


def test_paths_are_taken_as_they_are(project: Path) -> None:
    file = project / "environments" / "local.yaml"
    assert find("./environments/local.yaml", project) == file
    assert find(str(file), Path("/")) == file
    assert find("local.yaml", project / "environments") == file


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("locl", "there is no environment 'locl'", "did you mean 'local'"),
        ("other.yaml", "there is no file", ""),
        ("./nowhere/x", "there is no file", ""),
        ("./environments", "environments is a directory, and an environment is a file", "`envspec list` shows"),
        ("environments", "environments is a directory, and an environment is a file", "`envspec list` shows"),
        ("gpu/singel", "there is no environment 'gpu/singel'", "did you mean 'gpu-single'"),
        ("./environments/local.yaml[plane=nats]", "variants are not in this version", "brackets"),
        ("local[plane=nats]", "variants are not in this version", "brackets"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(project: Path, name: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message.replace("[", r"\[")) as caught:
        find(name, project)
    assert hint in caught.value.hint


@pytest.mark.parametrize("name", ["w[a=b]", ".hidden"])
def test_whatever_a_file_is_called_its_name_finds_it(project: Path, name: str) -> None:
    file = project / "environments" / f"{name}.yaml"
    file.write_text("version: 1\n")
    assert name in map(name_of, environments(project))
    assert find(name, project / "src") == file


def test_a_path_with_brackets_is_a_path(tmp_path: Path) -> None:
    file = tmp_path / "br[1]" / "local.yaml"
    file.parent.mkdir()
    file.write_text("version: 1\n")
    assert find(str(file), Path("/")) == file
    with pytest.raises(UsageError, match="there is no file"):
        find(str(file.parent / "other.yaml"), Path("/"))


@pytest.mark.parametrize("first", [".yaml", ".yml"])
def test_of_two_suffixes_the_longer_one_has_the_name(tmp_path: Path, first: str) -> None:
    (tmp_path / "environments").mkdir()
    for suffix in (first, *({".yaml", ".yml"} - {first})):  # directories are read in whatever order
        (tmp_path / "environments" / f"local{suffix}").write_text("version: 1\n")
    assert find("local", tmp_path).name == "local.yaml"
    assert [file.name for file in environments(tmp_path)] == ["local.yaml", "local.yml"]


def test_a_project_without_environments_says_where_they_would_be(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find("local", tmp_path)
    assert "environments/" in caught.value.hint


def test_where_it_was_looked_for_is_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "stacks").mkdir()
    with pytest.raises(UsageError) as found_others:
        find("nope", project / "src" / "deep")
    places = [project / "src" / "deep" / "environments", project / "src" / "environments", project / "environments"]
    assert found_others.value.hint.splitlines()[-1] == f"looked in {', '.join(map(str, places))}"

    (project / "pyproject.toml").write_text('[tool.envspec]\nenvironments = "stacks"\n')
    monkeypatch.chdir(project)
    with pytest.raises(UsageError) as found_none:
        find("nope", Path())
    assert found_none.value.hint.splitlines()[-1] == f"looked in {project / 'stacks'}"


@pytest.mark.parametrize(
    ("name", "said"), [("../nowhere.yaml", "nowhere.yaml"), ("../environments", "environments is")]
)
def test_a_path_is_said_without_a_way_back(project: Path, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(str(project / said))):
        find(name, project / "src")
