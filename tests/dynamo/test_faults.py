"""What becomes of a real inference stack when a part of it dies, hangs, or loses its data.

These say what Dynamo 1.4 does, not what one might wish for: a worker that dies takes the streams that it was writing
with it, which end early, with HTTP 200 and without a reason; and until its lease runs out the router sends it new
requests, which fail within milliseconds and so leave it the least busy of all.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

import envspec
from envspec.agent.identity import stat_fields
from tests.dynamo.load import AT_ONCE, TOKENS, Load, Outcome, chat

ROOT = Path(__file__).parents[2]
SLOW_TOKENS = Path(__file__).parent / "slow_tokens.yaml"
PATIENCE = 30.0


@contextmanager
def up(tmp_path: Path, name: str | Path, **sets: str) -> Iterator[envspec.Environment]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv("ENVSPEC_STATE_DIR", str(tmp_path / "state"))
        patch.setenv("ENVSPEC_CACHE_DIR", str(tmp_path / "cache"))
        with envspec.up(name, sets=sets) as live:
            yield live


def eventually(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(0.02)


def listed(dynamo: envspec.Environment) -> int:
    """Return how many workers the frontend knows."""
    instances = requests.get(f"{dynamo['frontend'].url()}/health", timeout=PATIENCE).json()["instances"]
    return sum(instance["endpoint"] == "generate" for instance in instances)


def some_chats(dynamo: envspec.Environment, about: str) -> list[Outcome]:
    return [chat(dynamo["frontend"].url(), f"{about} {i}") for i in range(4)]


def test_a_killed_worker_takes_its_own_answers_with_it_and_the_service_goes_on(tmp_path: Path) -> None:
    with up(tmp_path, SLOW_TOKENS) as dynamo:
        url, victim, other = dynamo["frontend"].url(), dynamo["worker.1"], dynamo["worker.0"]
        survivor = other.pid
        with Load(url, 200) as load:
            load.wait_tokens(2 * AT_ONCE * TOKENS + 8 * AT_ONCE)  # in the midst of the third round
            killed = time.monotonic()
            victim.kill()
        assert victim.wait_exited() == "SIGKILL"
        assert (victim.state, other.state, dynamo.state) == ("exited", "healthy", "degraded")

        assert len(load.outcomes) == 200, "none hung, and no connection broke"
        assert all(outcome.whole for outcome in load.outcomes if outcome.ended < killed)
        running = [outcome for outcome in load.outcomes if outcome.begun < killed < outcome.ended]
        assert any(outcome.whole for outcome in running), "what the other worker wrote was written to its end"
        failed = [outcome for outcome in load.outcomes if not outcome.whole]
        cut = [outcome for outcome in failed if outcome.status == 200]
        assert len(cut) <= AT_ONCE
        assert all(outcome.tokens < TOKENS and not outcome.finish for outcome in cut)
        assert {outcome.status for outcome in failed} <= {200, 500, 503}

        eventually(lambda: listed(dynamo) == 1, "the end of the lease of the dead worker")
        assert all(outcome.whole for outcome in some_chats(dynamo, "while it is down"))
        victim.start()
        assert dynamo.state == "healthy"
        eventually(lambda: listed(dynamo) == 2, "the new worker's name in the list")
        assert all(outcome.whole for outcome in some_chats(dynamo, "now that it is back"))
        assert other.pid == survivor


def test_nats_may_lose_everything_and_workers_find_it_again(tmp_path: Path) -> None:
    with up(tmp_path, "local") as dynamo:
        untouched = {name: dynamo[name].pid for name in ("etcd", "worker.0", "worker.1", "frontend")}
        kept = dynamo.dir / "replicas" / "nats" / "jetstream" / "kept"
        kept.parent.mkdir(exist_ok=True)
        kept.touch()
        before = dynamo["nats"].pid
        dynamo["nats"].restart(wipe=True)
        assert not kept.exists()
        assert dynamo["nats"].pid != before
        eventually(lambda: chat(dynamo["frontend"].url(), "anybody?").whole, "an answer over the new NATS")
        assert all(outcome.whole for outcome in some_chats(dynamo, "again"))
        assert {name: dynamo[name].pid for name in untouched} == untouched
        assert dynamo.state == "healthy"


def test_a_paused_worker_holds_up_its_own_requests_alone_and_catches_up(tmp_path: Path) -> None:
    with up(tmp_path, SLOW_TOKENS, lease="60") as dynamo:  # one that outlasts its lease ends itself afterwards
        with Load(dynamo["frontend"].url(), AT_ONCE) as load:
            load.wait_tokens(AT_ONCE * 2)
            with dynamo["worker.1"].paused() as worker:
                assert stat_fields(worker.pid or 0)[0] == "T"
                eventually(load.is_some_done, "an answer of the other worker")
                assert not load.is_all_done()
                resumed = time.monotonic()
        assert all(outcome.whole for outcome in load.outcomes)
        assert sum(outcome.ended > resumed for outcome in load.outcomes) > 0
        dynamo["worker.1"].wait_healthy()
        assert listed(dynamo) == 2
        assert dynamo.state == "healthy"


def test_two_of_three_etcd_members_answer_and_the_third_catches_up(tmp_path: Path) -> None:
    with up(tmp_path, "etcd-cluster") as cluster:
        members = cluster["etcd"].replicas
        put(members[0], "written", "by all")
        members[1].kill()
        assert cluster.state == "degraded"
        eventually(lambda: put(members[2], "written", "by two"), "an answer of those that are left")
        assert get(members[0], "written") == "by two"
        members[1].start()
        members[1].wait_healthy()
        assert cluster.state == "healthy"
        assert get(members[1], "written") == "by two"


def put(member: envspec.Service, key: str, value: str) -> bool:
    """Write to a member of etcd, as its gateway to HTTP takes it; return whether it was taken."""
    body = {"key": _base64(key), "value": _base64(value)}
    with_leader = requests.post(f"{member.url('client')}/v3/kv/put", json=body, timeout=PATIENCE)
    return with_leader.status_code == 200


def get(member: envspec.Service, key: str) -> str:
    answer = requests.post(f"{member.url('client')}/v3/kv/range", json={"key": _base64(key)}, timeout=PATIENCE)
    return base64.b64decode(answer.json()["kvs"][0]["value"]).decode()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
