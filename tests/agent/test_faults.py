"""What faults ask of an agent: one descendant signalled, wherever it lives; a directory emptied, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from envspec.errors import BackendError
from tests.agent.agent_client import AgentClient, alive, state, wait_gone, wait_until

DAEMON = "import os; os.fork() or (os.setsid(), os.fork() and os._exit(0), os.execlp('sleep', 'sleep', '1003')); "
STAYS = "import time; time.sleep(1000)"


def named(agent: AgentClient, leader: int) -> dict[str, int]:
    children = agent.call("children", replica="web", leader=leader)["children"]
    return {child["command"]: child["pid"] for child in children}


def test_descendants_are_known_wherever_they_daemonised(agent: AgentClient) -> None:
    leader = agent.python("web", DAEMON + STAYS)
    wait_until(lambda: "sleep 1003" in named(agent, leader), "the daemon")
    assert leader not in named(agent, leader).values()
    daemon = named(agent, leader)["sleep 1003"]
    agent.call("signal_child", replica="web", pid=daemon, signal="KILL")
    assert alive([daemon]) == []
    assert alive([leader]) == [leader]
    assert "sleep 1003" not in named(agent, leader)


def test_a_killed_child_is_dead_when_that_is_answered_and_other_signals_are_only_sent(agent: AgentClient) -> None:
    leader = agent.start("web", "sh", "-c", "sleep 1004 & sleep 1005 & wait")
    wait_until(lambda: {"sleep 1004", "sleep 1005"} <= named(agent, leader).keys(), "the children")
    children = named(agent, leader)
    agent.call("signal_child", replica="web", pid=children["sleep 1004"], signal="STOP")
    wait_until(lambda: state(children["sleep 1004"]) == "T", "the stop")
    agent.call("signal_child", replica="web", pid=children["sleep 1005"], signal="KILL")
    assert alive([children["sleep 1005"]]) == []


def test_no_process_of_anybody_else_is_signalled(agent: AgentClient) -> None:
    agent.start("web", "sleep", "1000")
    other = agent.start("other", "sleep", "1000")
    for stranger in (other, agent.agent):
        with pytest.raises(BackendError, match=f"web has no process {stranger} any more"):
            agent.call("signal_child", replica="web", pid=stranger, signal="KILL")
    assert alive([other, agent.agent]) == [other, agent.agent]


def test_only_the_directory_of_what_does_not_run_is_emptied(agent: AgentClient, tmp_path: Path) -> None:
    mine, outside = agent.directory / "replicas" / "web", tmp_path / "precious"
    outside.mkdir()
    (outside / "kept").touch()
    leader = agent.start("web", "sh", "-c", "mkdir -p deep/er; touch deep/er/made; exec sleep 1000")
    wait_until((mine / "deep/er/made").exists, "what it makes")
    with pytest.raises(BackendError, match="web runs"):
        agent.call("wipe", replica="web", dir=str(mine))
    agent.stop("web")
    wait_gone([leader])
    for wrong in (outside, agent.directory, mine / ".." / ".." / ".." / "precious"):
        with pytest.raises(BackendError, match="is not in the session's directory"):
            agent.call("wipe", replica="web", dir=str(wrong))
    assert (outside / "kept").exists()
    agent.call("wipe", replica="web", dir=str(mine))
    assert list(mine.iterdir()) == []
    agent.call("wipe", replica="web", dir=str(mine.with_name("never-made")))
