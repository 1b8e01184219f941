"""The environments of this repository: without a mistake, and each of them comes up."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from envspec.errors import RequirementError
from envspec.resolve import outline
from envspec.session.requirements import check_requirements
from envspec.spec.find import name_of
from envspec.spec.load import load
from tests.catalog.conftest import Cli
from tests.catalog.running import Running

ENVIRONMENTS = Path(__file__).parents[2] / "environments"
FILES = sorted(ENVIRONMENTS.rglob("*.yaml"))
NAMES = sorted(name_of(file) for file in FILES)
Up = Callable[..., Running]


def test_none_has_a_mistake(cli: Cli) -> None:
    found = cli("check", str(ENVIRONMENTS), "--format", "json")
    assert found == {"files": len(NAMES), "diagnostics": []}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_each_comes_up_or_says_what_it_lacks(up: Up, name: str) -> None:
    file = ENVIRONMENTS / f"{name}.yaml"
    try:
        check_requirements(outline(load(file, environ=os.environ)), os.environ)
    except RequirementError as error:
        pytest.skip("; ".join(error.missing))
    running = up(file)
    assert running.session["state"] == "healthy"
    assert set(running.states().values()) == {"healthy"}


@pytest.mark.slow
def test_local_streams_a_chat_and_grows_with_a_var(up: Up) -> None:
    running = up(ENVIRONMENTS / "local.yaml", "--set", "workers=3")
    assert [name for name in running.replicas if name.startswith("worker")] == ["worker.0", "worker.1", "worker.2"]

    question = {"model": "chat", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4, "stream": True}
    url = running.url("frontend", "http") + "/v1/chat/completions"
    with requests.post(url, json=question, stream=True, timeout=30) as answer:
        lines = [line.removeprefix(b"data: ") for line in answer.iter_lines() if line.startswith(b"data: ")]

    assert lines[-1] == b"[DONE]"
    chunks = [json.loads(line) for line in lines[:-1]]
    assert "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]).strip()


def test_two_of_the_same_live_beside_one_another(up: Up, cli: Cli) -> None:
    first, second = up(ENVIRONMENTS / "control-plane.yaml"), up(ENVIRONMENTS / "control-plane.yaml")
    assert first.port("etcd", "client") != second.port("etcd", "client")
    assert {first.session["id"], second.session["id"]} == {session["id"] for session in cli("ps", "--format", "json")}


def test_the_schema_in_the_first_line_is_the_one_that_is_generated() -> None:
    for path in FILES:
        schema = path.read_text().splitlines()[0].removeprefix("# yaml-language-server: $schema=")
        assert (path.parent / schema).resolve() == ENVIRONMENTS.parent / "schemas" / "environment.schema.json"
