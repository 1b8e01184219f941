"""Checks on demand, liveness, and a prober that dies."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envspec.agent import tree
from envspec.agent.wire import Message
from envspec.plan.codec import to_json
from envspec.plan.plan import Check
from tests.agent.agent_client import AgentClient, agent_in, alive, port_check, probers_among


@pytest.fixture
def number() -> Iterator[int]:
    with socket.socket() as bound:  # bound, not listening: nobody else gets it, and a connection is refused
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def shell(script: str, where: str = "ready[0] (exec)") -> Check:
    return Check("exec", {"shell": script}, 5.0, where, "x.yaml:9:3")


def order(*checks: Check, mode: str = "once", **changes: Any) -> Message:
    environment = {"env": {"PATH": os.environ["PATH"]}, "cwd": "/"}
    return {"checks": to_json(checks), "replica": "", "mode": mode, "timeout": 10.0, **environment, **changes}


def callback(agent: AgentClient, body: str = "pass", where: str = "ready[0] (python)") -> Check:
    """A `python` check that runs `body`, in the agent's directory."""
    name = f"callback{len(list(agent.directory.glob('callback*.py')))}"
    (agent.directory / f"{name}.py").write_text(f"import os, pathlib, time\ndef check(ctx):\n    {body}\n")
    return Check("python", {"call": f"{name}:check", "args": {}}, 5.0, where, "x.yaml:9:3")


def prober_of(agent: AgentClient) -> int:
    """Wait for the prober that asks what is no callback, and return its pid."""

    def found() -> int:
        agent.call("renew")
        return next(iter(probers_among(tree.children(agent.agent))), 0)

    pid: int = agent.wait(found, "the prober")
    return pid


def test_a_check_is_answered_once(agent: AgentClient) -> None:
    answered = agent.call("check", key="k", **order(shell("exit 0"), shell("echo no; exit 3", "ready[1] (exec)")))
    assert not answered["passed"]
    first, second = answered["answers"]
    assert (first["passed"], first["check"], first["position"]) == (True, "ready[0] (exec)", "x.yaml:9:3")
    assert (second["passed"], second["check"]) == (False, "ready[1] (exec)")
    assert "no" in second["text"]


def test_a_check_is_asked_until_it_passes(agent: AgentClient, tmp_path: Path) -> None:
    waiting = agent.send("check", key="k", **order(shell(f"test -e {tmp_path}/go"), mode="until"))
    assert not agent.wait_notice("answer", replica="")["passed"]
    (tmp_path / "go").write_text("")
    assert agent.result(waiting)["passed"]


def test_a_check_that_never_passes_ends_with_its_time(agent: AgentClient, number: int) -> None:
    answered = agent.call("check", key="k", **order(port_check("tcp", number), mode="until", timeout=0.3))
    assert not answered["passed"]
    assert answered["answers"][0]["tries"] > 1
    assert "connection refused" in answered["answers"][0]["text"]


def test_a_check_can_be_taken_back(agent: AgentClient, tmp_path: Path) -> None:
    tries = tmp_path / "tries"
    waiting = agent.send("check", key="k", **order(shell(f"echo >> {tries}; exit 1"), mode="until", timeout=600.0))
    agent.wait_notice("answer", replica="")
    agent.call("cancel", key="k")
    assert agent.result(waiting) == {"passed": False, "answers": []}
    agent.call("check", key="other", **order(shell("true")))  # by then the cancelled one has been taken out
    before = tries.stat().st_size
    agent.call("check", key="other", **order(shell("sleep 0.3")))
    assert tries.stat().st_size <= before + 1, "at most the try under way was finished"


def test_a_service_that_stops_answering_is_told_unhealthy(agent: AgentClient, tmp_path: Path) -> None:
    check = shell(f"test -e {tmp_path}/fine || {{ echo gone; exit 1; }}", "services.web.health[0] (exec)")
    (tmp_path / "fine").write_text("")
    agent.start("web", "sleep", "600", health=(check,))
    agent.wait_notice("healthy", replica="web")
    agent.call("watch", replica="web", every=0.05, failures=2)
    (tmp_path / "fine").unlink()
    notice = agent.wait_notice("unhealthy", replica="web")
    assert notice["check"] == "services.web.health[0] (exec)"
    assert "gone" in notice["text"]


def test_nobody_watches_a_service_that_has_ended(agent: AgentClient) -> None:
    agent.start("web", "sleep", "600", health=(shell("true"),))
    agent.wait_notice("healthy", replica="web")
    agent.call("watch", replica="web", every=0.02, failures=1)
    agent.stop("web")
    agent.call("check", key="k", **order(shell("sleep 0.2")))
    assert not agent.heard("unhealthy")


def test_a_prober_that_dies_is_replaced_and_asked_again(agent: AgentClient, tmp_path: Path) -> None:
    agent.start("web", "sleep", "600", health=(shell(f"test -e {tmp_path}/go"),))
    agent.wait_notice("answer", replica="web", passed=False)
    first = prober_of(agent)
    os.kill(first, signal.SIGKILL)
    agent.wait(lambda: prober_of(agent) != first, "another prober")
    (tmp_path / "go").write_text("")
    agent.wait_notice("healthy", replica="web")
    assert not alive([first])


def test_a_prober_that_cannot_start_is_an_answer_not_a_hang(tmp_path: Path) -> None:
    with agent_in(tmp_path / "session", python="/bin/false") as agent:
        agent.start("web", "sleep", "600", health=(callback(agent),))
        answer = agent.wait_notice("answer", replica="web", passed=False)
        assert re.search(r"the prober died \d+ times in a row \(exit code 1\)", answer["text"])
        assert not agent.call("check", key="k", **order(callback(agent)))["passed"]


def test_what_envspec_asks_itself_needs_nothing_of_the_users_interpreter(tmp_path: Path) -> None:
    with agent_in(tmp_path / "session", python="/bin/false") as agent:
        assert agent.call("check", key="k", **order(shell("true")))["passed"]
        os.kill(prober_of(agent), signal.SIGKILL)
        assert agent.call("check", key="again", **order(shell("true")))["passed"]


def test_a_check_that_kills_the_prober_again_and_again_is_told_so(agent: AgentClient) -> None:
    (agent.directory / "deadly.py").write_text("import os\ndef check(ctx):\n    os._exit(9)\n")
    deadly = Check("python", {"call": "deadly:check", "args": {}}, 5.0, "services.web.health[0] (python)")
    agent.start("web", "sleep", "600", health=(deadly,))
    assert "(exit code 9)" in agent.wait_notice("answer", replica="web", passed=False)["text"]
    agent.stop("web")
    assert agent.call("check", key="k", **order(shell("true")))["passed"]


def test_an_interpreter_that_does_not_exist_is_an_answer(tmp_path: Path) -> None:
    with agent_in(tmp_path / "session", python="/no/such/python") as agent:
        agent.start("web", "sleep", "600", health=(callback(agent),))
        assert "/no/such/python" in agent.wait_notice("answer", replica="web", passed=False)["text"]
