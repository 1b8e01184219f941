"""`envspec timeline`: of a session that runs, and of one that has ended."""

from __future__ import annotations

import os
import signal
from typing import Any

from tests.cli.conftest import eventually

NEVER = """\
version: 1
services:
  never:
    command: [sleep, "60"]
    health: [{exec: {command: ["false"]}}]
"""


def test_the_critical_path_of_a_running_session(pair: Any) -> None:
    [session] = pair.json("ps")
    timeline = pair.json("timeline", session["id"])
    replicas = {replica["name"]: replica for replica in timeline["replicas"]}

    assert timeline["session"] == session["id"]
    assert timeline["state"] == "healthy"
    assert timeline["seconds"] == session["seconds"]
    assert replicas["front"]["spawned"] >= max(replicas[f"worker.{i}"]["healthy"] for i in range(2))
    assert replicas["front"]["spawned"] <= replicas["front"]["listening"] <= replicas["front"]["healthy"]
    names = [step["name"] for step in timeline["critical_path"]]
    assert names[0] == "envspec"
    assert names[-1] == "front"
    assert {"worker.0", "worker.1"} & set(names)
    assert [replica["name"] for replica in timeline["replicas"] if replica["critical"]]


def test_the_picture_fits_a_page(pair: Any) -> None:
    text = pair("timeline").stdout

    assert "critical path" in text
    assert "slowest first" in text
    assert max(map(len, text.splitlines())) <= 100


def test_an_ended_session_is_found_by_id_by_environment_and_as_the_last(envspec: Any, web: str) -> None:
    envspec.write(web)
    nothing = envspec("timeline")
    session = envspec.json("up", "-d")
    envspec("down")

    assert nothing.returncode == 2
    assert "no session has run lately" in nothing.stderr
    for name in ([session["id"]], ["local"], []):
        assert envspec.json("timeline", *name)["session"] == session["id"]


def test_a_session_that_was_killed_as_it_started_is_called_so(envspec: Any, processes_of: Any) -> None:
    envspec.write(NEVER)
    up = envspec.start("up")
    up.until("never")
    session = eventually(lambda: envspec.json("ps"), "the session")[0]["id"]
    assert envspec.json("timeline", session)["state"] == "starting"
    os.kill(up.process.pid, signal.SIGKILL)
    up.end()
    processes_of(envspec, gone=True)

    assert envspec.json("timeline", session)["state"] == "killed"
    assert envspec("timeline").stdout.startswith("✗ local killed after ")
