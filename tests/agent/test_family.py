"""Which processes belong to a replica is told of each once, its leader first."""

from __future__ import annotations

import os
import signal
import subprocess

from envspec.agent.family import Family
from envspec.agent.traces import Home

SHELL = ["sh", "-c", "sleep 600 & echo up; wait"]


def test_each_process_of_a_replica_is_told_once_the_leader_first() -> None:
    family = Family("session")
    with subprocess.Popen(SHELL, stdout=subprocess.PIPE, start_new_session=True) as leader:
        assert leader.stdout is not None
        leader.stdout.readline()
        family.add("web", leader.pid, Home("/logs/web.log", "/replicas/web", "/"))
        try:
            told = list(family.leader_first("web"))
        finally:
            os.killpg(leader.pid, signal.SIGKILL)

    assert told[0] == leader.pid
    assert len(told) == len(set(told)) == 2
