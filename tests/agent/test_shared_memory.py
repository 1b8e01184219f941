"""What killed processes leave in /dev/shm is removed, and nothing else."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from collections.abc import Iterator
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import pytest

from envspec.plan.plan import Check
from tests.agent.agent_client import AgentClient, agent_in, alive, wait_gone, wait_until

PLACE = Path("/dev/shm")
ENGINE = """
import multiprocessing, os, signal, sys, time
from multiprocessing import resource_tracker, shared_memory


def work(name, lock):
    segment = shared_memory.SharedMemory(name)
    with lock:
        print("worker", os.getpid(), flush=True)
    time.sleep(600)


if __name__ != "__main__":
    resource_tracker.register = lambda *_: None  # or it would be started anew, and tidy up itself
else:
    context = multiprocessing.get_context("spawn")
    segment = shared_memory.SharedMemory(create=True, size=4096)
    lock = context.Lock()
    print("segment", segment.name, "semaphore", lock._semlock.name, flush=True)
    worker = context.Process(target=work, args=(segment.name, lock))
    worker.start()
    segment.close()
    os.kill(resource_tracker._resource_tracker._pid, signal.SIGKILL)  # that would tidy up, too
    time.sleep(600)
"""
HOLDER = """
import mmap, sys, time
with open(sys.argv[1], "r+b") as file:
    mapped = mmap.mmap(file.fileno(), 0)
print("holds", flush=True)
time.sleep(600)
"""


def left() -> set[str]:
    return {path.name for path in PLACE.iterdir()}


class Engine:
    """A program of two processes that share a segment and a semaphore; the leader maps neither."""

    def __init__(self, agent: AgentClient, folder: Path) -> None:
        (folder / "engine.py").write_text(ENGINE)
        check = Check("log", {"match": "worker"}, 2.0, "services.x.health[0] (log)", "x.yaml:1:1")
        self.leader = agent.start("engine", sys.executable, str(folder / "engine.py"), health=(check,))
        agent.wait_notice("healthy", replica="engine")
        words = agent.log("engine").decode().split()
        said = dict(zip(words[::2], words[1::2], strict=True))
        self.worker = int(said["worker"])
        self.segment = said["segment"]
        self.names = {self.segment, "sem." + said["semaphore"].removeprefix("/")}
        assert self.names <= left()

    def is_gone(self) -> bool:
        return not self.names & left()

    def tidy_up(self) -> None:
        """Spare the machine what a failing test leaves."""
        for name in self.names:
            (PLACE / name).unlink(missing_ok=True)


@pytest.fixture
def engine(agent: AgentClient, tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(agent, tmp_path)
    yield engine
    engine.tidy_up()


@pytest.fixture
def file() -> Iterator[Path]:
    """A file in /dev/shm of no library's name."""
    path = PLACE / f"data-{secrets.token_hex(4)}"
    path.write_bytes(bytes(4096))
    yield path
    path.unlink(missing_ok=True)


def test_a_killed_leader_leaves_nothing(engine: Engine) -> None:
    os.kill(engine.leader, signal.SIGKILL)
    wait_until(engine.is_gone, "the removal")
    assert not alive([engine.leader, engine.worker])


def test_a_killed_tree_leaves_nothing(agent: AgentClient, engine: Engine) -> None:
    agent.call("signal", replica="engine", signal="KILL", scope="tree")
    wait_until(engine.is_gone, "the removal")
    assert not alive([engine.leader, engine.worker])


def test_who_dies_all_at_once_by_anothers_hand_was_looked_at_when_healthy(agent: AgentClient, engine: Engine) -> None:
    agent.call("log_at", replica="engine", time=0)  # whatever is done at `healthy` is done before this is answered
    os.killpg(engine.leader, signal.SIGKILL)
    wait_until(engine.is_gone, "the removal")
    assert not alive([engine.leader, engine.worker])


def test_a_stop_leaves_nothing(agent: AgentClient, engine: Engine) -> None:
    agent.stop("engine", timeout=0.0)
    assert engine.is_gone()


@pytest.mark.parametrize("victim", ["owner", "agent"])
def test_the_end_of_the_agent_leaves_nothing(tmp_path: Path, victim: str) -> None:
    with agent_in(tmp_path / "session") as agent:
        engine = Engine(agent, tmp_path)
        if victim == "agent":
            os.kill(agent.agent, signal.SIGKILL)
    wait_gone([engine.leader, engine.worker, agent.agent, agent.guardian])
    assert engine.is_gone()


def test_a_segment_that_another_process_still_has_is_kept(engine: Engine) -> None:
    kept = SharedMemory(engine.segment)
    os.kill(engine.leader, signal.SIGKILL)
    wait_until(lambda: engine.names & left() == {engine.segment}, "the removal of the semaphore")
    assert not alive([engine.leader, engine.worker])
    assert engine.segment in left()
    kept.close()
    kept.unlink()


def test_a_file_that_is_no_librarys_is_kept(agent: AgentClient, file: Path) -> None:
    agent.python("holder", HOLDER, str(file))
    agent.wait_log("holder", "holds")
    agent.stop("holder", timeout=0.0)
    assert file.exists()


@pytest.mark.usefixtures("engine")
def test_what_nobody_of_ours_held_is_kept(agent: AgentClient) -> None:
    strangers = PLACE / f"psm_{secrets.token_hex(4)}"
    strangers.write_bytes(bytes(4096))
    agent.stop("engine", timeout=0.0)
    assert strangers.exists()
    strangers.unlink()
