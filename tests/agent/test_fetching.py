"""The agent finds models itself, has a fetcher get them, and outlives it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envspec.agent import tree
from envspec.agent.wire import Message
from envspec.errors import ModelUnavailableError
from envspec.models.synthetic import Synthetic, cached_path
from tests.agent.agent_client import AgentClient, agent_in, wait_gone, wait_until

LARGE: dict[str, Any] = {"architecture": "qwen3", "hidden_size": 1024, "intermediate_size": 4096, "layers": 4}
"""Seconds to make."""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ENVSPEC_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def agent(cache: Path, tmp_path: Path) -> Iterator[AgentClient]:
    assert not cache.exists()
    with agent_in(tmp_path / "session") as client:
        yield client


def model(cache: Path, name: str = "chat", **options: Any) -> Message:
    options = options or {"architecture": "qwen3"}
    path = str(cached_path(Synthetic(**options), cache))
    return {"name": name, "served_name": name, "source": "synthetic", "options": options, "path": path}


def fetchers(agent: AgentClient) -> list[int]:
    return [pid for pid in agent.pids() if "envspec.models.fetcher" in tree.command_of(pid)]


def begun(agent: AgentClient, cache: Path) -> int:
    """Ask for a large model, and return the fetcher's pid as soon as it is at work."""
    agent.send("fetch", model=model(cache, "large", **LARGE))
    wait_until(lambda: list(cache.glob("models/synthetic/.*.part-*")), "the making of a model")
    (pid,) = fetchers(agent)
    return pid


def test_a_model_is_made_once_and_found_the_second_time(agent: AgentClient, cache: Path) -> None:
    first = agent.call("fetch", model=model(cache))
    second = agent.call("fetch", model=model(cache))

    assert (first["path"], first["cached"]) == (model(cache)["path"], False)
    assert (second["path"], second["cached"]) == (model(cache)["path"], True)
    assert (Path(first["path"]) / "config.json").is_file()


def test_what_is_on_disk_is_found_without_a_fetcher(agent: AgentClient, cache: Path) -> None:
    agent.call("fetch", model=model(cache))
    agent.call("end_fetches")
    wait_until(lambda: not fetchers(agent), "the end of the fetcher")

    found = agent.call("find", models=[model(cache), model(cache, "other", architecture="llama")])["models"]

    assert found["chat"] == {"path": model(cache)["path"], "commit": "", "complete": True}
    assert found["other"]["complete"] is False
    assert not fetchers(agent)


def test_models_share_one_fetcher_which_ends_when_there_is_nothing_to_do(agent: AgentClient, cache: Path) -> None:
    numbers = [agent.send("fetch", model=model(cache, f"m{i}", architecture="qwen3", seed=i)) for i in range(6)]
    answers = [agent.result(number) for number in numbers]

    assert all(not answer["cached"] for answer in answers)
    (pid,) = fetchers(agent)
    wait_gone([pid])


def test_a_killed_fetcher_fails_its_jobs_with_its_last_words_and_is_replaced(agent: AgentClient, cache: Path) -> None:
    pid = begun(agent, cache)
    waiting = agent.send("fetch", model=model(cache, "large", **LARGE))
    agent.call("renew")  # by now the fetcher has been asked: what comes after its death is for the next one
    (agent.directory / "fetcher.log").write_text("first\nWarning: the disk is slow\n")
    tree.send(pid, 9)

    with pytest.raises(ModelUnavailableError) as caught:
        agent.result(waiting)

    assert str(caught.value) == (
        "model large: the process that gets models was ended by SIGKILL; its last words: Warning: the disk is slow"
    )
    assert str(agent.directory / "fetcher.log") in caught.value.hint
    assert agent.call("fetch", model=model(cache))["cached"] is False


def test_fetches_are_given_up_at_once_and_others_begin_anew(agent: AgentClient, cache: Path) -> None:
    pid = begun(agent, cache)

    agent.call("end_fetches")
    assert agent.call("fetch", model=model(cache))["cached"] is False

    wait_gone([pid])
    assert not Path(model(cache, **LARGE)["path"]).exists()
    assert not list(cache.glob("models/synthetic/.*.part-*"))


@pytest.mark.parametrize("verb", ["find", "fetch"])
def test_a_model_that_is_described_wrongly_is_named(agent: AgentClient, verb: str) -> None:
    wrong = {"name": "chat", "source": "synthetic", "options": {"architecture": "qwen3", "vocab_size": 5}, "path": ""}

    with pytest.raises(ModelUnavailableError, match="model chat: vocab_size must be at least 2048, not 5"):
        agent.call(verb, model=wrong, models=[wrong])
