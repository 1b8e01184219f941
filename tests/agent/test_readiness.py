"""When a replica counts as healthy: its own process listens, then its checks pass."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.agent.agent_client import AgentClient, agent_in, port_check, with_port

# Listens on argv[1]:argv[2] as soon as it can, and says so.
SERVER = """
import os, socket, sys, time
if "daemon" in sys.argv and os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
elif "daemon" in sys.argv:
    time.sleep(600)
while True:
    try:
        listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
        break
    except OSError:
        time.sleep(0.01)
print("listening", flush=True)
while True:
    listener.accept()[0].close()
"""

# Prints what is asked for, and is well when /first was asked for 24 times.
SLOW_PAGES = """
import http.server, sys
class Page(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        print(self.path, flush=True)
        Page.asked += self.path == "/first"
        self.send_response(200 if Page.asked >= 24 else 503)
        self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
"""


@contextmanager
def stranger(number: int) -> Iterator[socket.socket]:
    """A listener that is no service's."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", number))
        listener.listen()
        yield listener


@pytest.fixture
def number() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free: int = taken.getsockname()[1]
    return free


def test_without_checks_a_service_is_healthy_once_it_executes(agent: AgentClient) -> None:
    agent.start("web", "sleep", "600", start=3)
    assert agent.wait_notice("healthy", replica="web")["start"] == 3


def test_a_port_is_seen_and_then_asked(agent: AgentClient, number: int) -> None:
    command = (sys.executable, "-m", "http.server", str(number), "--bind", "127.0.0.1")
    agent.start("web", *command, health=(port_check("http", number, path="/"),), **with_port(number))
    agent.wait_notice("healthy", replica="web")
    news = [notice for notice in agent.notices if notice.get("passed", True)]
    assert [notice["notice"] for notice in news] == ["listening", "answer", "healthy"]
    listening, answer, _ = news
    assert (listening["port"], listening["number"]) == ("main", number)
    assert answer["check"] == "services.x.health[0] (http)"
    assert answer["position"] == "x.yaml:1:1"
    assert answer["text"].startswith("HTTP 200")


def test_a_second_check_is_asked_seldom_while_the_first_one_fails(agent: AgentClient, number: int) -> None:
    first = port_check("http", number, path="/first")
    second = replace(port_check("http", number, path="/second"), where="services.x.health[1] (http)")
    agent.python("web", SLOW_PAGES, str(number), health=(first, second), **with_port(number))
    agent.wait_notice("healthy", replica="web")
    asked = agent.log("web").split()
    assert 1 <= asked.count(b"/second") <= asked.count(b"/first") / 3


def test_a_stranger_on_the_port_is_not_taken_for_the_service(agent: AgentClient, number: int) -> None:
    with stranger(number):
        agent.python("web", SERVER, "127.0.0.1", str(number), health=(port_check("tcp", number),), **with_port(number))
        warning = agent.wait_notice("warning", replica="web")
        assert f"port {number}" in warning["message"]
        assert "is no process of web" in agent.wait_notice("answer", replica="web", passed=False)["text"]
        assert not agent.heard("listening")
    agent.wait_notice("healthy", replica="web")


def test_a_server_on_another_address_is_not_taken_for_the_endpoint(agent: AgentClient, number: int) -> None:
    agent.python("web", SERVER, "127.0.0.2", str(number), health=(port_check("tcp", number),), **with_port(number))
    answer = agent.wait_notice("answer", replica="web", passed=False)
    assert answer["text"] == f"port {number} is open on 127.0.0.2, not on 127.0.0.1"
    assert not agent.heard("healthy")


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_server_on_all_addresses_is_reached_on_each(agent: AgentClient, number: int, host: str) -> None:
    family = "family=socket.AF_INET6, dualstack_ipv6=True, address=" if ":" in host else "address="
    code = SERVER.replace("create_server(", f"create_server({family}")
    agent.python("web", code, host, str(number), health=(port_check("tcp", number),), **with_port(number))
    agent.wait_notice("healthy", replica="web")


def test_a_daemon_of_the_service_may_be_who_listens(agent: AgentClient, number: int) -> None:
    health = (port_check("tcp", number),)
    agent.python("web", SERVER, "127.0.0.1", str(number), "daemon", health=health, **with_port(number))
    agent.wait_notice("healthy", replica="web")
    assert not agent.heard("warning")


def test_what_is_awaited_is_said_when_it_takes_long(agent: AgentClient, number: int) -> None:
    agent.start("web", "sleep", "600", health=(port_check("http", number),), **with_port(number))
    answer = agent.wait_notice("answer", replica="web")
    assert (answer["passed"], answer["text"]) == (False, f"nothing listens on 127.0.0.1:{number} yet")


def test_a_line_of_the_log_makes_healthy_but_not_one_of_the_start_before(agent: AgentClient) -> None:
    check = replace(port_check("log", 0, match="^ready$"), endpoints=())
    agent.start("web", "sh", "-c", "echo ready; sleep 600", health=(check,))
    agent.wait_notice("healthy", replica="web", start=0)
    agent.stop("web")
    agent.start("web", "sh", "-c", "echo ready when $0; sleep 600", "asked", start=1, health=(check,))
    answer = agent.wait_notice("answer", replica="web", start=1)
    assert not answer["passed"]
    assert not agent.heard("healthy", start=1)


def test_what_is_no_regular_expression_is_an_answer_not_a_crash(agent: AgentClient) -> None:
    check = replace(port_check("log", 0, match="(ready"), endpoints=())
    agent.start("web", "sh", "-c", "echo ready; sleep 600", health=(check,))
    assert "not a regular expression" in agent.wait_notice("answer", replica="web", passed=False)["text"]


def test_a_pattern_that_takes_for_ever_is_given_up_and_holds_nobody_up(agent: AgentClient) -> None:
    check = replace(port_check("log", 0, match="(x+x+)+y"), endpoints=())
    agent.start("web", "sh", "-c", f"echo start; sleep 0.1; echo {'x' * 45}; echo xxy; sleep 600", health=(check,))

    def given_up() -> bool:
        agent.call("renew")
        return any("takes longer than 50 ms, so it is given up" in answer["text"] for answer in agent.heard("answer"))

    agent.wait(given_up, "the answer that the pattern is too slow")
    agent.start("other", "sleep", "600")
    agent.wait_notice("healthy", replica="other")
    assert not agent.heard("healthy", replica="web"), "what was given up is not asked about the next line"


def test_a_flood_of_lines_is_not_taken_for_a_slow_pattern(agent: AgentClient) -> None:
    check = replace(port_check("log", 0, match="^.*rea+dy$"), endpoints=())
    code = "print('a line of a log that says nothing\\n' * 400_000 + 'ready', flush=True); import time; time.sleep(600)"
    agent.python("web", code, health=(check,))
    agent.wait_notice("healthy", replica="web")
    assert not any("longer than" in answer["text"] for answer in agent.heard("answer"))


def test_all_checks_must_pass(agent: AgentClient, number: int) -> None:
    late = replace(port_check("log", 0, match="second"), endpoints=(), where="services.x.health[1] (log)")
    code = SERVER.replace("print(", "time.sleep(0.2); print('second',")
    health = (port_check("tcp", number), late)
    agent.python("web", code, "127.0.0.1", str(number), health=health, **with_port(number))
    agent.wait_notice("healthy", replica="web")
    passed = [notice["check"] for notice in agent.heard("answer", passed=True)]
    assert passed == ["services.x.health[0] (tcp)", "services.x.health[1] (log)"]


def test_an_exit_ends_the_wait(agent: AgentClient, number: int) -> None:
    agent.start("web", "sh", "-c", "exit 4", health=(port_check("http", number),), **with_port(number))
    assert agent.wait_notice("exited", replica="web")["exit_code"] == 4
    with stranger(number):
        agent.call("check", key="x", checks=[], replica="", mode="once", timeout=1.0)
    assert [notice["notice"] for notice in agent.notices] == ["exited"]


def test_tcp_and_log_need_no_prober(tmp_path: Path, number: int) -> None:
    log = replace(port_check("log", 0, match="listening"), endpoints=())
    with agent_in(tmp_path / "session", python="/bin/false") as agent:
        health = (port_check("tcp", number), log)
        agent.python("web", SERVER, "127.0.0.1", str(number), health=health, **with_port(number))
        agent.wait_notice("healthy", replica="web")


def test_what_already_runs_elsewhere_is_validated_not_started(agent: AgentClient, number: int) -> None:
    check = replace(port_check("tcp", number), local=False)
    attached = agent.plan_json("web", health=(check,), **with_port(number))
    with stranger(number):
        assert agent.call("start", replica=attached, start=0)["pid"] is None
        agent.wait_notice("healthy", replica="web")
    assert agent.stop("web")["survivors"] == []
    assert not agent.heard("exited")
