"""The floors of the house: imports point down, and a planted import upward is caught."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = Path(sys.executable).with_name("lint-imports")
FLOORS = {"cli", "pytest_plugin", "report", "session", "backends", "resolve", "agent", "spec"} | {
    "health", "models", "leases", "plan", "errors", "record", "units",
}  # fmt: skip


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LINT, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "envspec", tmp_path / "envspec", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_hold() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout
    assert "0 broken" in result.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [
        pytest.param("plan/graph.py", "from envspec import session", id="upward"),
        pytest.param(
            "plan/graph.py", "def late():\n    from envspec.session import status", id="upward-inside-a-function"
        ),
        pytest.param("health/base.py", "import envspec.plan.plan", id="between-siblings"),
        pytest.param("agent/__init__.py", "import envspec.spec", id="the-agent-sees-spec"),
        pytest.param("agent/__init__.py", "import pydantic", id="the-agent-sees-pydantic"),
        pytest.param("spec/__init__.py", "import socket", id="spec-touches-a-socket"),
        pytest.param("resolve/__init__.py", "import time", id="resolve-reads-a-clock"),
    ],
)
def test_a_planted_import_is_caught(copy: Path, module: str, line: str) -> None:
    planted = copy / "envspec" / module
    planted.write_text(f"{planted.read_text()}\n{line}\n")

    result = lint_imports(copy)

    assert result.returncode == 1, result.stdout
    assert f"envspec.{module.split('/', maxsplit=1)[0]}" in result.stdout.partition("Broken contracts")[2]


def test_a_new_package_must_choose_its_floor(copy: Path) -> None:
    (copy / "envspec" / "attic").mkdir()
    (copy / "envspec" / "attic" / "__init__.py").write_text('"""Nowhere."""\n')

    result = lint_imports(copy)

    assert result.returncode == 1
    assert "attic" in result.stdout


def test_no_floor_is_missing_from_the_map() -> None:
    packages = {
        path.stem for path in (ROOT / "envspec").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert packages - {"__init__", "__main__"} == FLOORS


def test_files_stay_short() -> None:
    sizes = {path.relative_to(ROOT): path.read_text().count("\n") for path in (ROOT / "envspec").rglob("*.py")}
    assert not {str(path): size for path, size in sizes.items() if size > 300}


@pytest.mark.parametrize(
    ("module", "line", "rule"),
    [
        pytest.param("session/live.py", "import subprocess", "TID251", id="spawning-outside-the-agent"),
        pytest.param("session/live.py", "import os\nos.kill(1, 0)", "TID251", id="signalling-outside-the-agent"),
        pytest.param("report/sessions.py", "print('x')", "T201", id="printing-outside-the-cli"),
    ],
)
def test_a_planted_call_is_caught(copy: Path, module: str, line: str, rule: str) -> None:
    planted = copy / "envspec" / module
    planted.write_text(f"{planted.read_text()}\n{line}\n")

    ruff = [
        str(LINT.with_name("ruff")),
        "check",
        "--no-cache",
        "--output-format=concise",
        "--select",
        rule,
        str(planted),
    ]
    result = subprocess.run(ruff, cwd=copy, capture_output=True, text=True, check=False)

    assert rule in result.stdout
