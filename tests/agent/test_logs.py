"""Logs: whatever a service writes, and however much, is there to be read, and bounded on the disk."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from envspec.agent.logs import BOUND, INDEX_LIMIT, Log
from tests.agent.agent_client import AgentClient

MIB = 2**20
FLOOD = """
import os
block = (b"y" * 1023 + b"\\n") * 1024
for _ in range(100):
    os.write(1, block)
os.write(1, b"the end")
"""


def test_binary_output_arrives_byte_for_byte(agent: AgentClient) -> None:
    agent.python("web", "import os\nfor n in range(256): os.write(1 + n % 2, bytes([n]))")
    agent.wait_notice("exited", replica="web", exit_code=0)
    assert agent.log("web") == bytes(range(256))


def test_a_log_is_read_in_parts_and_from_its_end(agent: AgentClient) -> None:
    agent.start("web", "printf", "0123456789")
    agent.wait_notice("exited", replica="web")
    assert agent.log("web", 3, 4) == b"3456"
    assert agent.log("web", -3) == b"789"
    assert agent.log("web", -100) == b"0123456789"
    assert agent.log("web", 100) == b""
    assert agent.call("log", replica="never-started", offset=0, limit=10)["size"] == 0


def test_a_part_is_never_larger_than_64_kib(agent: AgentClient) -> None:
    agent.python("web", "print('x' * 200_000)")
    agent.wait_notice("exited", replica="web")
    assert len(agent.log("web", 0, 10**9)) == 65536


def test_a_flood_of_100_mb_harms_nobody_and_stays_bounded(agent: AgentClient) -> None:
    agent.python("flood", FLOOD)
    agent.start("web", "echo", "not drowned")
    agent.wait_notice("exited", replica="flood", exit_code=0)
    assert agent.wait_log("web", "not drowned")
    part = agent.call("log", replica="flood", offset=-7, limit=100)
    assert part["size"] == 100 * MIB + 7
    assert agent.log("flood", -7) == b"the end"
    path = Path(agent.plan("flood").log)
    assert path.stat().st_blocks * 512 <= BOUND + MIB
    assert part["start"] > 0
    first = agent.call("log", replica="flood", offset=0, limit=10)
    assert first["offset"] == first["start"], "what is punched out is not given as zeros"
    assert agent.log("flood", 0, 10).strip(b"y\n") == b""


def test_a_moment_is_found_in_a_log(agent: AgentClient) -> None:
    agent.start("web", "sh", "-c", "echo before; cat >/dev/null; sleep 0.3; echo after")
    agent.wait_log("web", "before")
    agent.wait(
        lambda: agent.call("log_at", replica="web", time=time.time())["offset"] == 7, "the entry of the first line"
    )
    moment = time.time()
    agent.wait_log("web", "after")
    assert agent.call("log_at", replica="web", time=moment) == {"offset": 7}
    assert agent.call("log_at", replica="web", time=moment - 3600) == {"offset": 0}
    assert agent.call("log_at", replica="web", time=moment + 3600) == {"offset": 13}


def test_offsets_stay_true_when_the_beginning_is_given_back(tmp_path: Path) -> None:
    log = Log(tmp_path / "web.log", bound=MIB)
    output = log.open_for_service()
    for number in range(64):
        os.write(output, b"%8d" % number * 8192)
        log.sample()
    data, offset = log.read(60 * 65536, 8)
    assert (data, offset) == (b"      60", 60 * 65536)
    assert log.path.stat().st_size == 64 * 65536
    assert log.path.stat().st_blocks * 512 <= MIB
    os.close(output)


def test_the_index_of_a_talkative_service_does_not_grow_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(tmp_path / "web.log")
    output = log.open_for_service()
    for second in range(3 * INDEX_LIMIT):
        monkeypatch.setattr(time, "time", lambda second=second: float(second))
        os.write(output, b"x")
        log.sample()
    os.close(output)
    assert sys.getsizeof(log._times) < 16 * INDEX_LIMIT
    assert log.offset_at(float(3 * INDEX_LIMIT - 10)) == 3 * INDEX_LIMIT - 9
    assert log.offset_at(10_000.0) == pytest.approx(10_000, abs=100), "an old moment is found less exactly"
