"""A project whose tests write down which environment they had, and where they ran."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

WEB = """
version: 1
services:
  web:
    command: [python, -m, http.server, "{{ ports.http }}", --bind, "{{ replica.host }}"]
    ports: {http: auto}
    health: [{http: {port: http}}]
"""

BROKEN = """
version: 1
services:
  broken:
    shell: echo attempt >> {project}/attempts; printf 'the disk is on %s' fire; exit 3
    health: [{{exec: {{shell: "false"}}}}]
"""

CONFTEST = """
import os, pathlib, time, pytest

@pytest.fixture
def told(request, environment):
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    line = f"{request.node.name} {environment.name} {environment.id} {worker}"
    with open(request.config.rootpath / "told", "a") as file:
        print(line, file=file)
    return environment

@pytest.fixture
def both(told, request):
    deadline = time.monotonic() + 30
    while True:
        lines = [line.split() for line in (request.config.rootpath / "told").read_text().splitlines()]
        if len({worker for _, name, _, worker in lines if name == told.name}) == 2:
            return
        assert time.monotonic() < deadline, "the other worker has no test of this environment"
        time.sleep(0.01)

@pytest.fixture
def until(request):
    def until(name):
        deadline = time.monotonic() + 30
        while not (request.config.rootpath / name).exists():
            assert time.monotonic() < deadline, name
            time.sleep(0.01)
    return until
"""


class Told(NamedTuple):
    test: str
    environment: str
    session: str
    worker: str


def prepare(pytester: pytest.Pytester) -> None:
    environments = pytester.mkdir("environments")
    for name in ("web", "other", "third"):
        (environments / f"{name}.yaml").write_text(WEB)
    (environments / "broken.yaml").write_text(BROKEN.format(project=pytester.path))
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\n")
    pytester.makeconftest(CONFTEST)


def told(folder: Path) -> list[Told]:
    return [Told(*line.split(" ")) for line in (folder / "told").read_text().splitlines()]


def events() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what happened in all sessions, in order of time, each with its session's environment."""
    found = []
    for file in Path(os.environ["ENVSPEC_STATE_DIR"], "sessions").glob("*/events.jsonl"):
        name = file.parent.name.rpartition("-")[0]
        found += [(name, json.loads(line)) for line in file.read_text().splitlines()]
    yield from sorted(found, key=lambda pair: float(pair[1]["time"]))


def most_at_once() -> int:
    """Return how many sessions were up, or starting, at the same time."""
    up = most = 0
    for _, event in events():
        up += {"session-starting": 1, "session-stopping": -1}.get(event["event"], 0)
        most = max(most, up)
    return most


def starts() -> list[str]:
    return [name for name, event in events() if event["event"] == "session-starting"]
