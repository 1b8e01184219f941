"""The one line about a start under way names what is to blame for it, and nothing else."""

from __future__ import annotations

from envspec.plan import events as e
from envspec.report.waiting import start_line

HTTP = "services.worker.health[0] (http)"
READY = "ready[0] (openai)"
BEGIN = [
    e.SessionStarting(session="local-abcde", environment="local", file="f", directory="d", pid=1, backend="local"),
    e.ReplicaWaiting(replica="etcd", waits_for=()),
    e.ReplicaWaiting(replica="worker", waits_for=("etcd healthy", "models.chat")),
    e.ReplicaStarting(replica="etcd", at=0.1),
    e.ReplicaSpawned(replica="etcd", pid=2, argv=("etcd",), at=0.1),
]
ETCD_IS_UP = [e.ReplicaHealthy(replica="etcd", seconds=0.4, at=0.5)]
WORKER = [
    e.ReplicaStarting(replica="worker", at=0.5, last="etcd healthy"),
    e.ReplicaSpawned(replica="worker", pid=3, argv=("worker",), at=0.5),
    e.CheckAnswered(replica="worker", check=HTTP, passed=False, answer="HTTP 503 after 4 ms: not yet", tries=1, at=0.6),
]


def line(*events: e.Event, now: float = 20.4) -> str:
    return start_line("local", [*BEGIN, *events], now)


def test_what_waits_for_others_is_not_named() -> None:
    assert line() == "local: 20 s, waiting for etcd"


def test_the_last_answer_of_a_check_is_told() -> None:
    assert line(*ETCD_IS_UP, *WORKER) == "local: 20 s, waiting for worker (http: HTTP 503 after 4 ms: not yet)"


def test_a_long_answer_is_cut_and_stays_on_its_line() -> None:
    answer = e.CheckAnswered(replica="worker", check=HTTP, passed=False, answer="HTTP 503:\n" + "x" * 300, tries=2)
    told = line(*ETCD_IS_UP, *WORKER, answer)
    assert "\n" not in told
    assert len(told) < 110
    assert told.endswith("x…)")


def test_a_download_tells_how_far_it_is() -> None:
    fetching = e.ModelFetching(model="chat", source="repo", at=0.2)
    part = e.ModelProgress(model="chat", done=450, total=1000, at=20.3)
    assert line(*ETCD_IS_UP, *WORKER, fetching, part) == (
        "local: 20 s, waiting for worker (http: HTTP 503 after 4 ms: not yet), model chat 45 %"
    )


def test_a_download_that_waits_tells_for_whom() -> None:
    waiting = e.ModelWaiting(model="chat", holder="pid 7 (envspec models pull)", at=0.2)
    assert line(*ETCD_IS_UP, waiting) == "local: 20 s, waiting for model chat (waits for pid 7 (envspec models pull))"


def test_a_model_that_is_there_is_not_waited_for() -> None:
    fetching = e.ModelFetching(model="chat", source="repo", at=0.2)
    ready = e.ModelReady(model="chat", path="/models/chat", cached=False, at=3.0)
    assert line(fetching, ready) == "local: 20 s, waiting for etcd"


def test_when_all_services_are_healthy_the_environment_itself_is_waited_for() -> None:
    answer = e.CheckAnswered(replica="", check=READY, passed=False, answer="lists no model, not 'chat'", tries=1)
    told = line(*ETCD_IS_UP, *WORKER, e.ReplicaHealthy(replica="worker", seconds=1, at=2), answer, now=125)
    assert told == "local: 2 min 5 s, waiting for ready (openai: lists no model, not 'chat')"


def test_of_many_the_first_are_named() -> None:
    more = [e.ReplicaStarting(replica=f"worker.{index}", at=0.5) for index in range(6)]
    assert line(*ETCD_IS_UP, *more) == "local: 20 s, waiting for worker.0, worker.1, worker.2 and 3 more"


def test_before_anything_is_started_there_is_only_the_time() -> None:
    assert start_line("local", BEGIN[:1], 1.0) == "local: 1 s"
