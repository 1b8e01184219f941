"""Models come beside the start of services, each of which waits for its own only; what goes wrong with one is told."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from envspec.errors import ModelUnavailableError
from envspec.plan import events as e
from envspec.session.draft import Known, draft
from tests.models.hub_models import write_model
from tests.models.hub_server import Hub, serving
from tests.session.running import PATIENCE, Bench, Running, eventually

REPO = "org/tiny"
SYNTHETIC = "{synthetic: {architecture: qwen3}}"
FROM_HUB = f"{{repo: {REPO}}}"


class Gate:
    """Holds up the hub's answers about files of this name until it is opened."""

    def __init__(self, hub: Hub, name: str = "") -> None:
        self.met, self.opened = threading.Event(), threading.Event()
        self._name = name
        hub.before = self._hold

    def _hold(self, path: str) -> None:
        if "/resolve/" in path and path.endswith(self._name):
            self.met.set()
            self.opened.wait(PATIENCE)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with a model, which sessions ask."""
    hub = Hub(tmp_path / "hub")
    write_model(hub.root, REPO, 2)
    with serving(hub) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        yield hub


def environment(model: str, *, more: str = "") -> str:
    return f"""
    models: {{chat: {model}}}
    services:
      store: {{command: [sh, -c, echo up; sleep 60], health: [{{log: {{match: up}}}}]}}
      worker: {{command: [sleep, "60"], models: [chat]}}
    {more}
    """


def test_a_service_waits_for_its_own_models_only_and_a_cached_model_for_nobody(bench: Bench) -> None:
    first = bench.session(environment(SYNTHETIC)).up()

    assert first.of(e.ReplicaWaiting)[0].waits_for == ("models.chat",)
    assert first.index(e.ReplicaStarting, replica="store") < first.index(e.ModelReady)
    assert first.index(e.ModelReady) < first.index(e.ReplicaStarting, replica="worker")
    (ready,) = first.of(e.ModelReady)
    assert not ready.cached
    assert ready.bytes > 10**6

    second = bench.session(environment(SYNTHETIC), "again").up()

    assert [(event.cached, event.path) for event in second.of(e.ModelReady)] == [(True, ready.path)]
    assert not second.of(e.ModelFetching)
    assert not second.of(e.ReplicaWaiting)


def test_services_become_healthy_while_a_model_is_downloaded(bench: Bench, hub: Hub) -> None:
    gate = Gate(hub)
    running = bench.session(environment(FROM_HUB)).begin()

    running.wait(e.ReplicaHealthy, replica="store")
    assert gate.met.wait(PATIENCE)
    assert not running.of(e.ReplicaStarting, replica="worker")
    gate.opened.set()
    running.join()

    commit = hub.commit(REPO)
    assert [event.commit for event in running.of(e.ModelFetching)] == [commit]
    (ready,) = running.of(e.ModelReady)
    assert (ready.commit, Path(ready.path).name, ready.cached) == (commit, commit, False)
    assert ready.bytes >= 2_000_000


def test_progress_is_told_while_a_model_is_downloaded(bench: Bench, hub: Hub) -> None:
    gate = Gate(hub, "model.safetensors")
    running = bench.session(environment(FROM_HUB)).begin()

    progress = running.wait(e.ModelProgress)
    gate.opened.set()
    running.join()

    (ready,) = running.of(e.ModelReady)
    assert progress.total == ready.bytes
    assert 0 < progress.done < 2_000_000


def test_a_branch_is_resolved_once_and_a_commit_never(bench: Bench, hub: Hub) -> None:
    bench.session(environment(FROM_HUB)).up()
    assert len([request for request in hub.requests if "/revision/" in request.path]) == 1
    hub.requests.clear()

    pinned = bench.session(environment(f"{{repo: {REPO}, revision: {hub.commit(REPO)}}}"), "pinned").up()

    assert hub.requests == []
    assert pinned.of(e.ModelReady)[0].cached


def test_a_model_that_is_not_preloaded_is_fetched_for_who_needs_it_first(bench: Bench) -> None:
    text = """
    models:
      chat: {synthetic: {architecture: qwen3}, preload: false}
      idle: {synthetic: {architecture: llama}, preload: false}
    services:
      store:
        command: [sh, -c, "until test -e $BENCH/go; do sleep 0.01; done; echo up; sleep 60"]
        health: [{log: {match: up}}]
      worker: {command: [sleep, "60"], models: [chat], depends_on: [store]}
    """
    running = bench.session(text).begin()
    running.wait(e.ReplicaSpawned, replica="store")
    bench.touch("go")
    running.join()

    assert running.index(e.ReplicaHealthy, replica="store") < running.index(e.ModelFetching, model="chat")
    assert not running.of(e.ModelFetching, model="idle")


def test_a_model_that_cannot_be_had_is_one_error_and_all_is_stopped(bench: Bench) -> None:
    more = "  other: {command: [sleep, '60'], models: [chat]}"
    running = bench.session(environment("{path: ./missing}", more=more))

    error = running.fails()

    assert isinstance(error, ModelUnavailableError)
    assert error.exit_code == 3
    sentence, _, waiting = str(error).split("\n")
    assert sentence.startswith(f"model chat: there is nothing at {bench.path / 'missing'} ({bench.path}/")
    assert waiting == "waiting for it: worker, other"
    assert error.hint
    assert not running.of(e.ReplicaStarting, replica="worker")
    assert running.background.status().state == "failed"
    assert running["store"].pid is None


def test_a_repository_that_is_not_there_is_told_before_anything_starts(bench: Bench, hub: Hub) -> None:
    text = "{repo: org/missing}, also: {repo: org/absent}"
    running = bench.session(environment(text))

    error = running.fails()

    assert hub.requests
    assert isinstance(error, ModelUnavailableError)
    assert str(error).startswith("2 models cannot be had\n\n- model ")
    assert "org/missing" in str(error)
    assert "org/absent" in str(error)
    assert not running.of(e.ReplicaStarting)


def test_a_killed_fetcher_fails_the_start_with_its_last_words(bench: Bench, hub: Hub) -> None:
    gate = Gate(hub)
    running = bench.session(environment(FROM_HUB)).begin()
    assert gate.met.wait(PATIENCE)

    (fetcher,) = fetchers()
    fetcher.kill()
    running.join()
    gate.opened.set()

    assert isinstance(running.error, ModelUnavailableError)
    assert "was ended by SIGKILL; its last words: " in str(running.error)
    assert "waiting for it: worker" in str(running.error)


def test_a_stop_gives_up_what_is_downloaded_at_once(bench: Bench, hub: Hub) -> None:
    """A service that takes a minute to stop does not keep the download going."""
    gate = Gate(hub)
    stubborn = "sh, -c, 'trap \"\" TERM; echo up; while :; do sleep 1; done'"
    slow = f"  slow: {{command: [{stubborn}], stop: {{timeout: 60s}}, health: [{{log: {{match: up}}}}]}}"
    running = bench.session(environment(FROM_HUB, more=slow)).begin()
    running.wait(e.ReplicaHealthy, replica="slow")
    assert gate.met.wait(PATIENCE)
    (fetcher,) = fetchers()

    stopping = threading.Thread(target=running.background.stop, args=("the test says so",))
    stopping.start()
    eventually(lambda: not fetcher.is_running(), "the end of the fetcher")
    running.background.stop("at once", force=True)
    stopping.join()
    gate.opened.set()

    assert not running.of(e.ModelReady)


def test_a_retry_and_its_reason_are_told(bench: Bench, hub: Hub) -> None:
    hub.fail(503, times=1)

    running = bench.session(environment(FROM_HUB)).up()

    (retry,) = running.of(e.ModelRetrying)
    assert "503" in retry.reason
    assert (retry.model, retry.attempt) == ("chat", 2)


def test_a_retry_of_the_resolution_is_told_before_there_is_a_plan(bench: Bench, hub: Hub) -> None:
    hub.fail(503, times=1, on="/revision/")

    running = bench.session(environment(FROM_HUB)).up()

    assert running.index(e.ModelRetrying) < running.index(e.PortsLeased)


def test_who_gets_the_same_model_already_is_waited_for_by_name(bench: Bench, hub: Hub) -> None:
    gate = Gate(hub)
    first = bench.session(environment(FROM_HUB)).begin()
    assert gate.met.wait(PATIENCE)
    second = bench.session(environment(FROM_HUB), "second").begin()

    waiting = second.wait(e.ModelWaiting)
    gate.opened.set()
    first.join()
    second.join()

    assert f"pid {os.getpid()} (" in waiting.holder
    assert waiting.holder.endswith(f"session {first.background.status().id}")
    assert [event.cached for event in second.of(e.ModelReady)] == [True]


def test_weights_are_warmed_beside_the_services(bench: Bench) -> None:
    running = bench.session(environment("{synthetic: {architecture: qwen3}, warm: page-cache}")).up()

    warmed = running.wait(e.ModelWarmed)

    assert 0 < warmed.bytes <= warmed.total
    assert warmed.total == (Path(running.of(e.ModelReady)[0].path) / "model.safetensors").stat().st_size


def test_a_file_with_a_branch_is_recalled_with_the_commit_of_the_day(bench: Bench, hub: Hub) -> None:
    text = environment(FROM_HUB).replace('[sleep, "60"]', '[sh, -c, sleep 60, "{{ models.chat.path }}"]')
    first = bench.session(text).up()
    kept_by(first)
    (hub.root / REPO / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"]}))

    second = bench.session(text).up()

    assert isinstance(draft(second.request), Known)
    commits = [running.of(e.ModelReady)[0].commit for running in (first, second)]
    workers = [running.of(e.ReplicaSpawned, replica="worker")[0] for running in (first, second)]
    assert commits[1] == hub.commit(REPO) != commits[0]
    assert [Path(worker.argv[-1]).name for worker in workers] == commits


@pytest.mark.parametrize(
    "expression",
    ["{{ models.chat.commit[:8] }}", "{{ models.chat.path[-3:] }}"],
)
def test_a_template_that_takes_a_commit_apart_is_rendered_anew(bench: Bench, hub: Hub, expression: str) -> None:
    running = bench.session(environment(FROM_HUB).replace('[sleep, "60"]', f'[sh, -c, sleep 60, "{expression}"]')).up()
    kept_by(running)

    assert hub.requests
    assert not isinstance(draft(running.request), Known)


def fetchers() -> list[psutil.Process]:
    processes = psutil.Process().children(recursive=True)
    return [process for process in processes if "envspec.models.fetcher" in process.cmdline()]


def kept_by(running: Running) -> None:
    """Stop a session, which then has kept its plan if it can be kept."""
    running.stop()
