"""Whoever of owner, guardian and agent dies, and however: nothing is left, and soon."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from envspec.agent import tree
from envspec.agent.family import tags
from envspec.agent.sweep import sweep
from tests.agent.agent_client import AgentClient, agent_in, alive, wait_gone
from tests.hydra import HYDRA

BOUND = 1.5  # seconds after which nothing may be left; the services below ignore SIGTERM, which takes 1.0 s of it
TRIALS = 3

# An owner in a process of its own: starts two hydras, prints all pids, waits.
OWNER = """
import json, os, sys, time
from pathlib import Path
from tests.agent.agent_client import AgentClient
from tests.hydra import HYDRA
agent = AgentClient(Path(sys.argv[1]))
for name in ("a", "b"):
    agent.python(name, HYDRA)
    agent.wait_log(name, "up")
fork = os.fork() if "forked" in sys.argv else -1
if fork != 0:
    told = {"agent": agent.agent, "guardian": agent.guardian, "pids": agent.pids(), "fork": fork}
    print(json.dumps(told), flush=True)
time.sleep(600)
"""


@contextmanager
def owner_of_hydras(directory: Path, *manner: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Give the owner's process, and what it printed."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", OWNER, str(directory), *manner]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as owner:
        assert owner.stdout is not None
        try:
            yield owner, json.loads(owner.stdout.readline())
        finally:
            owner.kill()


def test_nothing_outlives_a_killed_owner(tmp_path: Path) -> None:
    for trial in range(TRIALS):
        with owner_of_hydras(tmp_path / f"trial {trial}") as (owner, told):
            assert len(told["pids"]) >= 2 + 2 * 4, "guardian, agent, and two hydras with three heads each"
            owner.kill()
            assert wait_gone(told["pids"]) < BOUND


@pytest.mark.parametrize("half", ["agent", "guardian"])
def test_nothing_outlives_a_killed_half_of_the_pair(tmp_path: Path, half: str) -> None:
    for trial in range(TRIALS):
        with owner_of_hydras(tmp_path / f"trial {trial}") as (_owner, told):
            os.kill(told[half], signal.SIGKILL)
            assert wait_gone(told["pids"]) < BOUND


def test_a_forked_child_that_keeps_the_stream_open_keeps_nothing_alive(tmp_path: Path) -> None:
    with owner_of_hydras(tmp_path / "session", "forked") as (owner, told):
        owner.kill()
        assert wait_gone(told["pids"]) < BOUND
        assert alive([told["fork"]])
        os.kill(told["fork"], signal.SIGKILL)


def test_a_stopped_agent_is_not_waited_for_when_the_owner_dies(tmp_path: Path) -> None:
    with owner_of_hydras(tmp_path / "session") as (owner, told):
        os.kill(told["agent"], signal.SIGSTOP)
        owner.kill()
        wait_gone(told["pids"])
        assert not alive([told["agent"], told["guardian"]])


def test_the_stream_ends_only_when_nothing_is_left(agent: AgentClient) -> None:
    agent.python("hydra", HYDRA)
    agent.wait_log("hydra", "up")
    everybody = [pid for pid in agent.pids() if pid not in (agent.agent, agent.guardian)]
    os.kill(agent.agent, signal.SIGKILL)
    agent.wait(lambda: not agent.read(0.01), "the end of the stream")
    assert not alive(everybody)


def test_an_agent_with_a_ttl_ends_when_its_owner_is_not_heard_of(tmp_path: Path) -> None:
    with agent_in(tmp_path / "session", ttl=0.4) as agent:
        pid = agent.start("web", "sleep", "600")
        agent.wait(lambda: not agent.read(0.01), "the end of the stream")
        assert not alive([pid])


def test_an_agent_with_a_ttl_lives_on_while_it_is_renewed(tmp_path: Path) -> None:
    with agent_in(tmp_path / "session", ttl=0.5) as agent:
        pid = agent.start("web", "sh", "-c", "sleep 1.2; echo later; sleep 600")

        def later() -> bool:
            agent.call("renew")
            return b"later" in agent.log("web")

        agent.wait(later, "a sign of life after more than two ttl")
        assert alive([pid])


def test_a_closed_stream_gives_services_the_time_to_leave_by_themselves(agent: AgentClient, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    code = "import signal, sys, time\ndef leave(*_):\n    open(sys.argv[1], 'w').write('tidied up'); sys.exit()\n"
    agent.python("web", code + "signal.signal(15, leave)\nprint('up', flush=True)\ntime.sleep(600)", str(witness))
    agent.wait_log("web", "up")
    agent.close()
    assert witness.read_text() == "tidied up"


def test_what_a_doubly_killed_pair_left_is_swept(tmp_path: Path) -> None:
    agent = AgentClient(tmp_path / "session")
    with ExitStack() as started, agent.stream:
        leader = agent.python("hydra", HYDRA)
        agent.wait_log("hydra", "up")
        heads = [pid for pid in tree.children(agent.agent) if tags(pid) and pid != leader]
        assert len(heads) == 3
        of_the_user = {**os.environ, "ENVSPEC_SESSION": agent.session}  # as the command of `envspec run` has it
        bystander = started.enter_context(subprocess.Popen(["sleep", "600"], env=of_the_user))
        started.callback(bystander.kill)
        assert sweep(agent.directory) == [], "a session whose agent lives is not touched"
        for number in (signal.SIGSTOP, signal.SIGKILL):  # stopped first, so that neither acts when the other dies
            os.kill(agent.guardian, number)
            os.kill(agent.agent, number)
        agent.process.wait()
        wait_gone([leader])
        assert alive(heads) == heads, "else there is nothing to sweep"
        assert {int(line.split()[0]) for line in sweep(agent.directory)} == set(heads)
        assert not alive(heads)
        assert bystander.poll() is None
        assert not Path(agent.hello["tmp"]).exists()
        assert not (agent.directory / "processes.json").exists()
        assert sweep(agent.directory) == []


def test_a_record_of_another_boot_or_container_is_not_touched(tmp_path: Path) -> None:
    with agent_in(tmp_path / "session") as agent:
        agent.start("web", "sleep", "600")
        record = json.loads((agent.directory / "processes.json").read_text())
        foreign = tmp_path / "foreign"
        foreign.mkdir()
        gone = {"pid": agent.agent, "start_time": 1}
        for change in ({"boot_id": "another"}, {"pid_namespace": 1}):
            changed = {**record, "agent": gone, "guardian": gone, **change}
            (foreign / "processes.json").write_text(json.dumps(changed))
            assert sweep(foreign) == []
        assert not agent.heard("exited", replica="web")


def test_a_recycled_pid_is_not_touched(tmp_path: Path) -> None:
    with agent_in(tmp_path / "session") as agent, subprocess.Popen(["sleep", "600"]) as bystander:
        record = json.loads((agent.directory / "processes.json").read_text())
        gone = {"pid": bystander.pid, "start_time": 1}
        swept = tmp_path / "swept"
        swept.mkdir()
        changed = {**record, "session": "none", "agent": gone, "guardian": gone, "processes": {"web": gone}}
        (swept / "processes.json").write_text(json.dumps({**changed, "scratch": str(tmp_path / "scratch")}))
        assert sweep(swept) == []
        assert bystander.poll() is None
        bystander.kill()
