"""Who sends SIGSTOP hears of it when nothing runs any more, also of a process with many busy threads."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from envspec.agent.identity import stat_fields
from envspec.agent.loop import Loop
from envspec.agent.pausing import when_still

BUSY = """
import hashlib, threading
def work():
    while True:
        hashlib.sha256(bytes(10_000_000))
for _ in range(8):
    threading.Thread(target=work).start()
print("busy", flush=True)
"""


@pytest.fixture
def busy() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "busy\n"
        yield process
        process.kill()


def states(pid: int) -> set[str]:
    return {stat_fields(pid, int(thread.name))[0] for thread in Path(f"/proc/{pid}/task").iterdir()}


def wait_still(*pids: int) -> bool:
    loop = Loop()
    over = threading.Event()

    def still() -> None:
        over.set()
        loop.stop()

    loop.after(0.0, lambda: when_still(loop, pids, still))
    loop.run()
    return over.is_set()


def test_all_threads_of_what_was_stopped_stand_still(busy: subprocess.Popen[str]) -> None:
    busy.send_signal(signal.SIGSTOP)
    assert wait_still(busy.pid)
    assert states(busy.pid) == {"T"}


def test_what_does_not_stop_is_waited_for_no_longer_than_the_patience(busy: subprocess.Popen[str]) -> None:
    assert wait_still(busy.pid)
    assert states(busy.pid) != {"T"}


def test_what_has_ended_meanwhile_is_not_waited_for() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
        assert wait_still(process.pid)
