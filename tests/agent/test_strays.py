"""A daemon that has shed environment and session is still known by what it inherited, and never taken for another's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from envspec.agent import tree
from tests.agent.agent_client import AgentClient, alive, wait_gone

# A leader that goes on, and a daemon of nobody's session with an empty environment; "silent" has left the log, too.
SHED = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print("daemon", os.getpid(), flush=True)
        if "silent" in sys.argv:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 1)
            os.dup2(nothing, 2)
        os.execve("/bin/sleep", ["sleep", "600"], {})
    os._exit(0)
os.wait()
print("leader", flush=True)
time.sleep(600)
"""


def shed(agent: AgentClient, name: str, *manner: str, start: int = 0, **changes: Any) -> int:
    """Start a replica that leaves such a daemon, and return the daemon's pid."""
    begin = len(agent.log(name))
    agent.python(name, SHED, *manner, start=start, **changes)

    def both() -> list[str]:
        words = agent.log(name, begin).decode().split()
        return words if {"daemon", "leader"} < set(words) else []

    words: list[str] = agent.wait(both, f"the daemon of {name}")
    pid = int(words[words.index("daemon") + 1])
    agent.wait(lambda: tree.command_of(pid) == "sleep 600", "the daemon's exec")
    assert pid in tree.children(agent.agent)
    return pid


@pytest.mark.parametrize("manner", [(), ("silent",)], ids=["writes into the log", "works in the directory"])
def test_what_shed_its_environment_and_session_goes_with_its_service(
    agent: AgentClient, manner: tuple[str, ...]
) -> None:
    of_other = shed(agent, "other", *manner)
    for start in range(2):
        daemon = shed(agent, "web", *manner, start=start)
        assert agent.stop("web")["survivors"] == []
        assert not alive([daemon])
    assert alive([of_other])


def test_it_goes_with_a_service_that_is_killed(agent: AgentClient) -> None:
    daemon = shed(agent, "web")
    agent.call("signal", replica="web", signal="KILL")
    wait_gone([daemon])


def test_whose_log_it_writes_to_counts_more_than_where_it_works(agent: AgentClient) -> None:
    agent.start("host", "sleep", "600")
    daemon = shed(agent, "guest", cwd=agent.plan("host").dir)
    agent.stop("host")
    assert alive([daemon])
    agent.stop("guest")
    assert not alive([daemon])


def test_what_may_be_of_two_is_left_alone_also_when_only_one_is_there(agent: AgentClient) -> None:
    agent.start("host", "sleep", "600")
    daemon = shed(agent, "guest", "silent", cwd=agent.plan("host").dir)
    agent.stop("guest")
    agent.stop("host")
    assert alive([daemon])


def test_a_directory_that_others_share_tells_nothing(agent: AgentClient, tmp_path: Path) -> None:
    daemon = shed(agent, "web", "silent", cwd=str(tmp_path))
    agent.stop("web")
    assert alive([daemon])
