"""Environments that are brought up from the outside, as a user does: `envspec up -d`, `envspec down`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.catalog.running import Running

BIN = Path(sys.executable).parent


class Cli:
    """The command line, with a state directory of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *arguments: str) -> Any:
        """Run a command that succeeds and return the JSON that it prints."""
        argv = [str(BIN / "envspec"), *arguments]
        result = subprocess.run(
            argv,
            env=self._environ(),
            cwd=self.home,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert result.returncode == 0, f"{argv}\n{result.stdout}\n{result.stderr}"
        return json.loads(result.stdout) if "json" in arguments else result.stdout

    def _environ(self) -> dict[str, str]:
        places = {"ENVSPEC_STATE_DIR": str(self.home / "state"), "ENVSPEC_CACHE_DIR": str(self.home / "cache")}
        return {**os.environ, **places, "PATH": f"{BIN}:{os.environ['PATH']}"}


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


@pytest.fixture
def up(cli: Cli) -> Iterator[Callable[..., Running]]:
    """Bring an environment up; at the end of the test it is taken down, and nothing of it may be left."""
    sessions: list[Running] = []

    def start(file: Path | str, *arguments: str) -> Running:
        if isinstance(file, str):
            text, file = file, cli.home / f"case_{len(sessions)}.yaml"
            file.write_text(text)
        sessions.append(Running(cli("up", "-d", str(file), "--format", "json", *arguments)))
        return sessions[-1]

    yield start
    cli("down", "--all")
    for session in sessions:
        assert [pid for pid in session.pids if psutil.pid_exists(pid)] == []
