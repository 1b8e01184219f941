"""The fetcher process does many jobs at a time, answers each whatever becomes of it, and ends with its stdin."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from envspec.models.fetcher import Job
from envspec.models.source import Progress, Retrying, Waiting
from envspec.models.synthetic import Synthetic, cached_path, is_complete
from envspec.plan.codec import to_json
from envspec.plan.plan import ModelPlan
from tests.cli.conftest import eventually
from tests.models.hub_machine import REPO, Machine
from tests.models.hub_models import write_model

PATIENCE = 30.0
LARGE = {"architecture": "qwen3", "hidden_size": 1024, "intermediate_size": 4096, "layers": 4}
"""Seconds to make."""


class Fetcher:
    """A fetcher process that a test gives jobs."""

    def __init__(self, cache: Path, *options: str, **environ: str) -> None:
        self.cache = cache
        argv = [sys.executable, *options, "-P", "-m", "envspec.models.fetcher"]
        env = {**os.environ, "ENVSPEC_CACHE_DIR": str(cache), **environ}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=env)
        self.notices: dict[str, list[dict[str, Any]]] = {}
        self.errors = ""
        self._patience = threading.Timer(PATIENCE, self.process.kill)
        self._patience.start()

    def ask(self, key: str, do: str = "fetch", **changes: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"key": key, "do": do, "model": self.model(**changes)}) + "\n")
        self.process.stdin.flush()

    def model(self, **changes: Any) -> Any:
        options = changes.pop("options", {"architecture": "qwen3"})
        source = changes.pop("source", "synthetic")
        synthetic = source == "synthetic" and options.get("vocab_size") != 5 and "colour" not in options
        path = str(cached_path(Synthetic(**options), self.cache)) if synthetic else ""
        return to_json(ModelPlan("chat", "chat", source, options, changes.pop("path", path), **changes))

    def last(self, key: str) -> dict[str, Any]:
        """Return the last notice of a job, once it is there."""
        assert self.process.stdout is not None
        while not (said := self.notices.get(key, [])) or said[-1]["notice"] not in ("done", "failed"):
            line = self.process.stdout.readline()
            assert line, f"it ended; heard: {self.notices}"
            notice = json.loads(line)
            self.notices.setdefault(notice["key"], []).append(notice)
        return said[-1]

    def answer(self, **job: Any) -> dict[str, Any]:
        self.ask("only", **job)
        answer = self.last("only")
        del self.notices["only"]
        return answer

    def end(self) -> str:
        """Close its stdin, and return what it wrote to stderr."""
        if self.process.returncode is None:
            self.errors = self.process.communicate()[1]
        self._patience.cancel()
        return self.errors


@pytest.fixture
def fetcher(tmp_path: Path) -> Iterator[Fetcher]:
    with started(tmp_path / "cache") as fetcher:
        yield fetcher
    assert fetcher.process.returncode == 0


@contextmanager
def started(cache: Path, *options: str, **environ: str) -> Iterator[Fetcher]:
    fetcher = Fetcher(cache, *options, **environ)
    try:
        yield fetcher
    finally:
        fetcher.end()


def test_a_model_is_made_once_and_then_found(fetcher: Fetcher) -> None:
    path = cached_path(Synthetic(architecture="qwen3"), fetcher.cache)

    first, second = fetcher.answer(), fetcher.answer()

    size = sum(file.stat().st_size for file in path.iterdir())
    assert (first["path"], first["cached"], first["bytes"], first["total"]) == (str(path), False, size, size)
    assert (second["path"], second["cached"], second["bytes"]) == (str(path), True, 0)
    assert is_complete(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "torrent"}, "there is no source 'torrent'"),
        ({"options": {"architecture": "qwen3", "vocab_size": 5}}, "vocab_size must be at least 2048, not 5"),
        ({"options": {"colour": "blue"}}, ""),
        ({"source": "path", "options": {"path": "/no/such/model"}, "path": "/x"}, "there is nothing at /no/such/model"),
        ({"source": "path", "options": {"path": 5}, "path": "/x"}, "TypeError: "),
    ],
    ids=["unknown source", "wrong option", "unknown option", "not there", "what nobody foresaw"],
)
def test_a_wrong_model_is_an_answer_and_the_next_is_served(
    fetcher: Fetcher, changes: dict[str, Any], message: str
) -> None:
    answer = fetcher.answer(**changes)

    assert (answer["notice"], answer["error"]) == ("failed", "ModelUnavailableError")
    assert answer["message"].startswith(message)
    assert fetcher.answer()["notice"] == "done"


def test_an_unwritable_cache_is_an_answer_with_a_hint(fetcher: Fetcher) -> None:
    fetcher.cache.write_text("a file")

    answer = fetcher.answer()

    assert answer["error"] == "ModelUnavailableError"
    assert str(fetcher.cache) in answer["message"]
    assert "ENVSPEC_CACHE_DIR" in answer["hint"]


def test_a_small_job_does_not_wait_for_a_large_one(fetcher: Fetcher) -> None:
    fetcher.ask("large", options=LARGE)
    fetcher.ask("small")

    fetcher.last("small")

    assert not any(said["notice"] == "done" for said in fetcher.notices.get("large", []))


def test_it_ends_with_its_stdin_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    with started(tmp_path) as fetcher:
        fetcher.ask("large", options=LARGE)
        fetcher.answer()  # so the other one is under way

    assert fetcher.process.returncode == 0
    assert not cached_path(Synthetic(**LARGE), tmp_path).exists()  # type: ignore[arg-type]


@pytest.mark.parametrize("how", ["stdin", "SIGTERM", "many SIGTERMs"])
def test_it_clears_away_what_is_half_done_when_it_is_ended(machine: Machine, how: str) -> None:
    machine.publish(3)
    machine.hub.spoil("model.safetensors", stall=2_000_000, times=9)
    with started(machine.host.own_cache, **machine.environ) as fetcher:
        fetcher.ask("made", options=LARGE)
        fetcher.ask("downloaded", source="repo", options={"repo": REPO})
        eventually(lambda: len(half_done(machine)) == 2, "both to be under way")
        pid = fetcher.process.pid
        if how == "SIGTERM":
            os.kill(pid, signal.SIGTERM)
        while how == "many SIGTERMs" and not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            os.kill(pid, signal.SIGTERM)

    assert fetcher.process.returncode == (0 if how == "stdin" else -signal.SIGTERM)
    assert (half_done(machine), fetcher.errors) == ([], "")


def half_done(machine: Machine) -> list[Path]:
    made = machine.host.own_cache.glob("models/synthetic/.*.part-*")
    return [*made, *machine.repo.glob("blobs/*.incomplete")]


def test_models_that_are_made_import_no_client_of_a_hub(tmp_path: Path) -> None:
    with started(tmp_path, "-X", "importtime") as fetcher:
        fetcher.answer()
        fetcher.answer(do="warm")

    imported = fetcher.errors

    assert "envspec.models.synthetic" in imported
    assert not any(name in imported for name in ("huggingface_hub", "httpx", "requests", "envspec.models.hub"))


def test_four_models_are_downloaded_at_once_and_the_others_after_them(machine: Machine) -> None:
    repos = [f"org/m{i}" for i in range(6)]
    for repo in repos:
        write_model(machine.hub.root, repo, 0.01)
    asked: set[str] = set()
    enough, go_on = threading.Event(), threading.Event()

    def before(path: str) -> None:
        if "/tree/" in path:  # what is asked first of each
            asked.add("/".join(path.split("/")[3:5]))
            if len(asked) == 4:
                enough.set()
            go_on.wait(PATIENCE)

    machine.hub.before = before
    with started(machine.host.own_cache, **machine.environ) as fetcher:
        for repo in repos:
            fetcher.ask(repo, source="repo", options={"repo": repo})
        assert enough.wait(PATIENCE)
        assert len(asked) == 4
        go_on.set()
        answers = [fetcher.last(repo) for repo in repos]

    assert {answer["notice"] for answer in answers} == {"done"}
    assert [answer["commit"] for answer in answers] == [machine.hub.commit(repo) for repo in repos]
    assert asked == set(repos)


def test_what_a_plan_says_is_fetched_although_the_branch_has_moved(machine: Machine) -> None:
    folder = write_model(machine.hub.root, "org/chat", 0.01)
    job: dict[str, Any] = {"source": "repo", "options": {"repo": "org/chat"}}
    with started(machine.host.own_cache, **machine.environ) as fetcher:
        was = fetcher.answer(do="resolve", **job)
        (folder / "config.json").write_text('{"another": "one"}')
        with started(machine.host.own_cache, **machine.environ) as another:
            assert another.answer(do="resolve", **job)["commit"] != was["commit"]
        got = fetcher.answer(**job, path=was["path"], commit=was["commit"])

    assert (got["path"], got["commit"]) == (was["path"], was["commit"])
    assert '"another"' not in (Path(got["path"]) / "config.json").read_text()


def test_all_models_of_a_branch_that_moves_are_at_one_commit_and_it_is_asked_for_once(machine: Machine) -> None:
    folder = write_model(machine.hub.root, "org/chat", 0.01)

    def move(path: str) -> None:
        if "/revision/main" in path:
            (folder / "README.md").write_text(str(machine.hub.requests))

    machine.hub.before = move
    kinds: list[dict[str, Any]] = [{}, {"tokenizer_only": True}, {"include": ["*.json"]}, {"token_env": "ACME_TOKEN"}]
    with started(machine.host.own_cache, **machine.environ) as fetcher:
        for number, kind in enumerate(kinds):
            fetcher.ask(str(number), do="resolve", source="repo", options={"repo": "org/chat", **kind})
        commits = {fetcher.last(str(number))["commit"] for number in range(len(kinds))}

    assert len(commits) == 1
    # ACME_TOKEN is not set, and nor is HF_TOKEN: whoever asks is nobody
    assert sum("/revision/" in request.path for request in machine.hub.requests) == 1


def test_those_that_ask_the_same_in_vain_fail_together_and_the_next_asks_again(machine: Machine) -> None:
    write_model(machine.hub.root, "org/chat", 0.01)
    came = threading.Event()

    def before(_path: str) -> None:
        came.wait(PATIENCE)

    machine.hub.before = before
    machine.hub.fail(403, on="/revision/")
    job: dict[str, Any] = {"do": "resolve", "source": "repo"}
    with started(machine.host.own_cache, **machine.environ) as fetcher:
        fetcher.ask("a", **job, options={"repo": "org/chat"})
        fetcher.ask("b", **job, options={"repo": "org/chat", "tokenizer_only": True})
        fetcher.answer(options={"vocab_size": 5, "architecture": "qwen3"})  # b was read before it
        came.set()
        assert "forbids org/chat" in fetcher.last("a")["message"]
        assert fetcher.last("b")["notice"] in ("failed", "done")
        assert fetcher.answer(**job, options={"repo": "org/chat"})["notice"] == "done"


def test_what_was_here_before_is_not_counted(machine: Machine) -> None:
    write_model(machine.hub.root, "org/chat", 1, parts=2)
    job: dict[str, Any] = {"source": "repo", "options": {"repo": "org/chat"}}
    with started(machine.host.own_cache, **machine.environ) as fetcher:
        first = fetcher.answer(**job)
        part = Path(first["path"]) / "model-00001-of-00002.safetensors"
        part.resolve().unlink()
        part.unlink()
        second = fetcher.answer(**job)
        third = fetcher.answer(**job)

    assert [answer["bytes"] for answer in (first, second, third)] == [first["total"], 500_000, 0]
    assert [answer["cached"] for answer in (first, second, third)] == [False, False, True]
    assert [answer["seconds"] > 0 for answer in (first, second, third)] == [True, True, False]


def test_progress_is_written_when_it_is_asked_for_and_before_what_happened_after_it() -> None:
    lines: list[dict[str, Any]] = []
    job = Job("1", lines.append)

    for done in range(1000):
        job.tell(Progress(done, 1000))
    job.flush()
    job.flush()
    job.tell(Progress(1000, 1000))
    job.tell(Waiting("pid 1"))
    job.tell(Retrying("HTTP 429", 12.0, 2))

    assert [line["notice"] for line in lines] == ["progress", "progress", "waiting", "retrying"]
    assert lines[0] == {"key": "1", "notice": "progress", "done": 999, "total": 1000, "kept": 0}
    assert lines[3] == {"key": "1", "notice": "retrying", "reason": "HTTP 429", "seconds": 12.0, "attempt": 2}
