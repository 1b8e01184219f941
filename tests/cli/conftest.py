"""The real command, run as a user runs it, with state and cache directories of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.models.hub_server import Hub, serving

PROGRAM = str(Path(sys.executable).with_name("envspec"))
PATIENCE = 30.0  # seconds for what should take a fraction of one, on a machine that is busy

WEB = """\
version: 1
description: One file server.
services:
  web:
    command: [python, -u, -m, http.server, "{{ ports.http }}", --bind, 127.0.0.1]
    ports: {http: auto}
    health: [{http: {port: http}}]
"""

PAIR = """\
version: 1
services:
  worker:
    command: [python, -u, -m, http.server, "{{ ports.http }}", --bind, 127.0.0.1]
    ports: {http: auto}
    replicas: 2
    health: [{http: {port: http}}]
  front:
    command: [python, -u, -m, http.server, "{{ ports.http }}", --bind, 127.0.0.1]
    ports: {http: auto, extra: {count: 2}}
    depends_on: [worker]
    health: [{tcp: {port: http}}]
"""


def eventually(condition: Callable[[], Any], what: str) -> Any:
    """Return what `condition` returns once that is true; fail when it takes too long."""
    deadline = time.monotonic() + PATIENCE
    while not (result := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {PATIENCE} s: {what}")
        time.sleep(0.01)
    return result


class Running:
    """A command that goes on: what it has written so far, signals for it, its end."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._written: dict[str, list[str]] = {"out": [], "err": []}
        streams = (("out", process.stdout), ("err", process.stderr))
        self._readers = [threading.Thread(target=self._read, args=pair, daemon=True) for pair in streams]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str, stream: Any) -> None:
        with stream:
            for line in stream:
                self._written[name].append(line)

    @property
    def out(self) -> str:
        return "".join(self._written["out"])

    @property
    def err(self) -> str:
        return "".join(self._written["err"])

    def until(self, text: str) -> None:
        """Return when it has written `text`; fail where it ends before."""

        def written() -> bool:
            return text in self.out + self.err or self.process.poll() is not None

        eventually(written, text)
        eventually(lambda: text in self.out + self.err, f"{text!r} in {self.out}{self.err}")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def signal_once_more(self, number: int) -> None:
        """Send a signal until it has ended: one that comes right behind another is taken for the same."""

        def ended() -> bool:
            self.signal(number)
            return self.process.poll() is not None

        eventually(ended, "its end")

    def end(self) -> int:
        """Return the exit code, when it has ended and all that it wrote is here."""
        code = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return code


@dataclass(frozen=True)
class Cli:
    """`envspec` in a project."""

    project: Path
    environ: dict[str, str]
    program: str = PROGRAM

    def write(self, text: str, name: str = "local") -> Path:
        """Write an environment of that name."""
        file = self.project / "environments" / f"{name}.yaml"
        file.write_text(text)
        return file

    def __call__(self, *argv: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        environ = {**self.environ, **changes}
        return subprocess.run(
            [PROGRAM, *argv],
            cwd=self.project, env=environ, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def json(self, *argv: str) -> Any:
        """Run a command that succeeds, and return the JSON that it writes."""
        result = self(*argv, "--format", "json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    @property
    def live(self) -> list[str]:
        """The sessions that can still be spoken to, without asking `ps`, which takes a process."""
        return [path.parent.name for path in Path(self.environ["ENVSPEC_STATE_DIR"]).glob("sessions/*/control.sock")]

    def start(self, *argv: str, **changes: str) -> Running:
        """Run a command that goes on."""
        process = subprocess.Popen(
            [PROGRAM, *argv],
            cwd=self.project, env={**self.environ, **changes}, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        return Running(process)


def make_cli(folder: Path) -> Cli:
    """Return `envspec` in an empty project, sharing nothing with other tests or with the user who runs them."""
    (folder / "project" / "environments").mkdir(parents=True)
    (folder / "project" / "pyproject.toml").touch()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ENVSPEC_", "XDG_"))}
    inherited |= {name: value for name, value in os.environ.items() if name == "ENVSPEC_TEST_RUN"}
    return Cli(
        folder / "project",
        {
            **inherited,
            "PATH": f"{Path(PROGRAM).parent}{os.pathsep}{os.environ['PATH']}",
            "ENVSPEC_STATE_DIR": str(folder / "state"),
            "ENVSPEC_CACHE_DIR": str(folder / "cache"),
        },
    )


@pytest.fixture
def envspec(tmp_path: Path) -> Iterator[Cli]:
    """A project of the test's own; what still runs in it is stopped."""
    cli = make_cli(tmp_path)
    yield cli
    if cli.live:
        cli("down", "--all")


@pytest.fixture
def hub(envspec: Cli, tmp_path: Path) -> Iterator[Hub]:
    """A hub that the project's commands are pointed to, with a cache of their own."""
    (tmp_path / "hub").mkdir()
    with serving(Hub(tmp_path / "hub")) as server:
        for name in [name for name in envspec.environ if name.startswith(("HF_", "HUGGINGFACE_"))]:
            del envspec.environ[name]
        envspec.environ.update(HF_ENDPOINT=server.url, HF_HOME=str(tmp_path / "hf"), HOME=str(tmp_path))
        yield server.hub


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """A project whose environment `pair` (two workers and a front) runs, for tests that only look at it."""
    cli = make_cli(tmp_path_factory.mktemp("pair"))
    cli.write(PAIR, "pair")
    result = cli("up", "-d", "pair")
    assert result.returncode == 0, result.stderr
    yield cli
    cli("down", "--all")


@pytest.fixture(name="eventually")
def eventually_fixture() -> Callable[..., Any]:
    """Wait for a condition, with a deadline."""
    return eventually


@pytest.fixture
def web() -> str:
    """An environment of one file server."""
    return WEB


@pytest.fixture
def processes_of() -> Callable[..., list[int]]:
    """Return the processes that carry the mark of a project's sessions; with `gone`, wait until there are none."""

    def living(cli: Cli) -> list[int]:
        mark = f"ENVSPEC_STATE_DIR={cli.environ['ENVSPEC_STATE_DIR']}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
            except OSError:
                continue
        return found

    def find(cli: Cli, *, gone: bool = False) -> list[int]:
        if gone:
            eventually(lambda: not living(cli), "everything gone")
        return living(cli)

    return find
