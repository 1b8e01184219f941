"""The real command, run as a user runs it, with state and cache directories of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Envspec = Callable[..., subprocess.CompletedProcess[str]]
PROGRAM = str(Path(sys.executable).with_name("envspec"))


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The caller's environment: nothing of it is shared with other tests or with the user who runs them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ENVSPEC_", "XDG_"))}
    tag = {name: value for name, value in os.environ.items() if name == "ENVSPEC_TEST_RUN"}
    venv = str(Path(sys.executable).parent)
    return {
        **kept,
        **tag,
        "PATH": f"{venv}{os.pathsep}{os.environ['PATH']}",
        "ENVSPEC_STATE_DIR": str(tmp_path / "state"),
        "ENVSPEC_CACHE_DIR": str(tmp_path / "cache"),
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty project to stand in."""
    folder = tmp_path / "project"
    (folder / "environments").mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    return folder


@pytest.fixture
def envspec(project: Path, environ: dict[str, str]) -> Envspec:
    """Run `envspec` in the project to its end."""

    def run(*argv: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, *argv], cwd=project, env={**environ, **changes}, capture_output=True, text=True, timeout=60
        )

    return run
