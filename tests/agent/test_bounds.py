"""What runs out (disk, descriptors, a reader's patience) is said, and harms nobody else."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from envspec.errors import ResourceError, StateDirectoryError
from tests.agent.agent_client import AgentClient, agent_in, alive, wait_until

LEASE = {"replica": "web", "port": "main", "ranges": [[20000, 29999]]}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB: a tmpfs, for which one must be root."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ctypes.CDLL(None, use_errno=True).mount
    if mount(b"tmpfs", os.fsencode(place), b"tmpfs", 0, b"size=256k") != 0:
        pytest.skip(f"a tmpfs cannot be mounted here: {os.strerror(ctypes.get_errno())}")
    yield place
    assert ctypes.CDLL(None).umount2(os.fsencode(place), 0) == 0


def fill(place: Path) -> Path:
    ballast = place / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    return ballast


def test_a_full_disk_under_the_session_is_an_answer_that_names_the_path(small_disk: Path) -> None:
    with agent_in(small_disk / "session") as agent:
        agent.start("good", "sleep", "600")
        ballast = fill(small_disk)
        with pytest.raises(StateDirectoryError) as caught:
            agent.start("web", "sleep", "600", files={"big.yaml": "x" * 100_000})
        assert f"cannot write {small_disk}/session" in str(caught.value)
        assert "No space left on device" in str(caught.value)
        assert "ENVSPEC_STATE_DIR" in caught.value.hint
        before = len(agent.pids())
        with pytest.raises(StateDirectoryError, match=r"processes\.json"):
            agent.start("web", "sleep", "600")
        agent.wait(lambda: len(agent.pids()) == before, "the end of what could not be recorded")
        assert not list(agent.directory.glob(".processes.json*")), "half a record is not left lying about"
        assert not agent.heard("exited", replica="good")
        ballast.unlink()
        assert alive([agent.start("web", "sleep", "600")])


def test_a_full_disk_from_the_beginning_refuses_hello(small_disk: Path) -> None:
    fill(small_disk)
    with pytest.raises(StateDirectoryError, match=f"cannot write {small_disk}/session"):
        AgentClient(small_disk / "session")


def test_a_service_whose_log_meets_a_full_disk_does_not_take_the_others_along(small_disk: Path) -> None:
    with agent_in(small_disk / "session") as agent:
        agent.start("good", "sleep", "600")
        agent.start("flood", "sh", "-c", "until test -e go; do sleep 0.01; done; exec cat /dev/zero")
        (small_disk / "session/replicas/flood/go").touch()
        assert agent.wait_notice("exited", replica="flood")["exit_code"] == 1
        agent.call("renew")
        assert not agent.heard("exited", replica="good")
        agent.stop("good")


def test_a_directory_that_is_not_ours_to_write_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateDirectoryError, match="Not a directory"):
        AgentClient(tmp_path / "file" / "session")


def descriptors(agent: AgentClient) -> int:
    return len(list(Path(f"/proc/{agent.agent}/fd").iterdir()))


def test_the_agent_does_not_collect_descriptors(agent: AgentClient) -> None:
    agent.start("web", "true")
    agent.wait_notice("exited", replica="web", start=0)
    before = descriptors(agent)
    for start in range(1, 30):
        agent.start("web", "true", start=start)
        agent.wait_notice("exited", replica="web", start=start)
        agent.stop("web")
    assert descriptors(agent) <= before


@pytest.mark.parametrize("limit", [63, 64, 65])
def test_a_lack_of_descriptors_is_said_with_the_figure(limit: int, tmp_path: Path) -> None:
    # The limits differ in what is refused first: the pipe of a start, its log, or the record of processes.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    code = f"""
import resource
from pathlib import Path
from tests.agent.agent_client import AgentClient
from envspec.errors import ResourceError
resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit}))
agent = AgentClient(Path({str(tmp_path / "session")!r}))
for number in range(60):
    try:
        agent.start(f"web.{{number}}", "sleep", "600")
    except ResourceError as error:
        print(number, error, error.hint)
        break
for number in range(3):  # of each, its log stays open
    agent.stop(f"web.{{number}}")
agent.start("web.0", "true", start=1)
agent.close()
"""
    root = Path(__file__).parents[2]
    told = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert f"it may have {limit}" in told.stdout
    assert "ulimit -Hn" in told.stdout
    assert int(told.stdout.split()[0]) > 10
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (soft, hard)


def test_an_owner_that_does_not_read_blocks_nobody(agent: AgentClient) -> None:
    agent.python("web", "print('x' * 65535)")
    agent.wait_notice("exited", replica="web")
    requests = [agent.send("log", replica="web", offset=0, limit=65536) for _ in range(100)]
    watched = agent.directory / "watched"
    last = agent.send("start", replica=agent.plan_json("late", "touch", str(watched)), start=0)
    wait_until(watched.exists, "the start of the late service")
    assert {len(agent.result(request)["data"]) for request in requests} == {87384}
    assert agent.result(last)["pid"]


def test_all_or_no_ports_are_leased(agent: AgentClient) -> None:
    taken = agent.call("lease", requests=[LEASE])["ports"]["web"]["main"][0]
    fixed = {"replica": "b", "port": "main", "fixed": taken}
    few = {"replica": "a", "port": "main", "ranges": [[taken + 1, taken + 1]]}
    with pytest.raises(ResourceError, match=str(taken)):
        agent.call("lease", requests=[few, fixed])
    assert agent.call("lease", requests=[few])["ports"] == {"a": {"main": [taken + 1]}}
