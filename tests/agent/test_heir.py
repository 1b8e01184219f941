"""What a process loads with an heir beside it ends with that process, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from envspec.agent.family import OWNER_TAG
from envspec.agent.heir_client import HeirClient
from envspec.agent.tree import children, command_of
from tests.agent.agent_client import alive, wait_gone, wait_until

ROOT = Path(__file__).parents[2]
BOUND = 2.0  # seconds after which nothing may be left

# Loads an engine of three: `core` has wiped its environment, as vLLM's has; `hydra` daemonises three times over;
# `holder` has shared memory. What is in `mine` is no part of it.
OWNER = """
import json, os, subprocess, sys, time
from envspec.agent.family import OWNER_TAG
from envspec.agent.heir_client import HeirClient
from tests.hydra import HYDRA

SLEEP = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
SEGMENT = '''
import sys, time
from multiprocessing import resource_tracker, shared_memory
resource_tracker.register = lambda *_: None
segment = shared_memory.SharedMemory(create=True, size=4096)
print(segment.name, flush=True)
time.sleep(600)
'''

def run(code, *wiped):
    env = {name: value for name, value in os.environ.items() if name not in wiped}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True, env=env
    )
    processes.append(process)
    return process

def lines_of(process, last):
    lines = []
    while not lines or lines[-1] != last:
        lines.append(process.stdout.readline().strip())
    return lines

processes = []
told = {"owner": os.getpid()}
mine = run(SLEEP)
told["mine"] = [mine.pid]
heir = HeirClient()
manner = sys.argv[1]
with heir.loading():
    core, hydra, holder = run(SLEEP, OWNER_TAG), run(HYDRA), run(SEGMENT)
    lines_of(core, "up")
    heads = [int(line.split()[1]) for line in lines_of(hydra, "up") if line.startswith("head")]
    told["segment"] = holder.stdout.readline().strip()
    told["engine"] = [core.pid, hydra.pid, holder.pid, *heads]
    if manner == "amidst":
        told["engine"].remove(core.pid)  # which nobody can know of yet
        told["mine"].append(core.pid)
        print(json.dumps(told), flush=True)
        time.sleep(600)
if manner == "released":
    for pid in told["engine"]:
        os.kill(pid, 9)
    for process in processes[1:]:
        process.wait()
    heir.dismiss()
if manner == "forked" and (fork := os.fork()) == 0:
    time.sleep(600)
told["forks"] = [fork] if manner == "forked" else []
told["children"] = [int(pid) for pid in open("/proc/self/task/%d/children" % os.getpid()).read().split()]
print(json.dumps(told), flush=True)
if manner == "exits":
    os._exit(0)
time.sleep(600)
"""


@contextmanager
def owner(manner: str) -> Iterator[dict[str, Any]]:
    """Give what a process says that has loaded; it and whatever it left are ended afterwards."""
    command = [sys.executable, "-c", OWNER, manner]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        try:
            yield told
        finally:
            process.kill()
            for pid in alive([*told["engine"], *told["mine"], *told.get("forks", ())]):
                os.kill(pid, signal.SIGKILL)
            Path("/dev/shm", told["segment"]).unlink(missing_ok=True)


def heirs() -> list[int]:
    return [pid for pid in children(os.getpid()) if "agent.heir" in command_of(pid)]


@pytest.mark.parametrize("manner", ["loaded", "amidst", "forked"])
def test_nothing_of_an_engine_outlives_a_killed_owner(manner: str) -> None:
    with owner(manner) as told:
        os.kill(told["owner"], signal.SIGKILL)

        wait_gone(told["engine"], BOUND)
        assert alive(told["mine"][:1]), "what was there before the load is nobody's to end"


def test_an_owner_that_leaves_without_a_word_counts_as_killed() -> None:
    with owner("exits") as told:
        wait_gone(told["engine"], BOUND)
        assert alive(told["mine"]), "what was there before the load is nobody's to end"


def test_what_only_the_engine_had_in_shared_memory_goes_with_it() -> None:
    with owner("loaded") as told:
        segment = Path("/dev/shm", told["segment"])
        assert segment.exists()
        os.kill(told["owner"], signal.SIGKILL)
        wait_gone(told["engine"], BOUND)
        wait_until(lambda: not segment.exists(), "the end of the segment")


def test_the_heir_is_dismissed_with_the_last_engine() -> None:
    with owner("released") as told:
        assert told["children"] == told["mine"]


def test_no_heir_is_there_before_a_load_and_none_in_the_variables_after_it() -> None:
    heir = HeirClient()
    heir.dismiss()
    assert heirs() == []
    with heir.loading():
        assert OWNER_TAG in os.environ
        assert len(heirs()) == 1
    assert OWNER_TAG not in os.environ
    heir.dismiss()
    assert heirs() == []


def test_a_load_goes_on_when_the_heir_was_killed_and_the_next_has_another() -> None:
    heir = HeirClient()
    with heir.loading():
        [first] = heirs()
        os.kill(first, signal.SIGKILL)
        wait_gone([first])
    with heir.loading():
        [second] = heirs()
    heir.dismiss()

    assert second != first
