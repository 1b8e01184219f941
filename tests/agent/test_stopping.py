"""A stop takes the whole tree, in time, however it resists."""

from __future__ import annotations

import os
import socket
import time

import pytest

from envspec.agent import tree
from envspec.errors import BackendError, ServiceStartError
from tests.agent.agent_client import AgentClient, alive, state, with_port

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
POLITE = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(3)); print('up', flush=True); time.sleep(600)"
# A leader that leaves a daemon behind: setsid, double fork, deaf to SIGTERM, its environment kept or wiped.
DAEMONISE = """
import os, signal, sys, time
heard, told = os.pipe()
def daemon():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("daemon", os.getpid(), flush=True)
    os.write(told, b".")
    time.sleep(600)
if os.fork() == 0:
    if "setsid" in sys.argv:
        os.setsid()
    if os.fork() == 0:
        if "wipe" in sys.argv:
            time.sleep(0.2)
            script = "trap '' TERM; echo daemon $$; sleep 600"
            os.execve("/bin/sh", ["sh", "-c", script], {"PATH": os.environ["PATH"]})
        daemon()
    if "linger" in sys.argv:
        time.sleep(0.5)
    os._exit(0)
os.wait()
print("leader", flush=True)
if "leave" not in sys.argv:
    time.sleep(600)
if "wipe" not in sys.argv:
    os.read(heard, 1)
"""
SERVER = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("up", sys.argv[2], flush=True)
while True:
    connection, _ = listener.accept()
    connection.sendall(b"hello")
    connection.close()
"""


def daemon_of(agent: AgentClient, name: str) -> int:
    log = agent.wait_log(name, "daemon")
    return int(log.split("daemon ")[1].split()[0])


def test_a_stop_is_the_signal_and_then_nothing_is_left(agent: AgentClient) -> None:
    pid = agent.python("web", POLITE)
    agent.wait_log("web", "up")
    assert agent.stop("web") == {"killed": False, "exit_code": 3, "signal": None, "survivors": []}
    assert not alive([pid])
    exit_notice = agent.wait_notice("exited", replica="web")
    assert exit_notice["stopping"]


def test_who_ignores_the_signal_is_killed_when_its_grace_ends(agent: AgentClient) -> None:
    agent.python("web", STUBBORN)
    agent.wait_log("web", "deaf")
    began = time.monotonic()
    outcome = agent.stop("web", timeout=0.3)
    assert (outcome["killed"], outcome["signal"]) == (True, "SIGKILL")
    assert time.monotonic() - began >= 0.3


def test_the_signal_is_the_one_that_was_asked_for(agent: AgentClient) -> None:
    agent.python("web", POLITE.replace("15", "2"))
    agent.wait_log("web", "up")
    assert agent.stop("web", stop_signal="INT")["exit_code"] == 3


def test_a_shell_and_what_it_waits_for_stop_together(agent: AgentClient) -> None:
    agent.start("web", "sh", "-c", "sleep 600; echo never")
    assert not agent.stop("web")["killed"]
    assert agent.log("web") == b""


@pytest.mark.parametrize("manner", [("setsid",), (), ("setsid", "linger"), ("wipe",)], ids=" ".join)
def test_what_daemonised_is_stopped_with_its_service(agent: AgentClient, manner: tuple[str, ...]) -> None:
    agent.python("web", DAEMONISE, *manner)
    agent.start("bystander", "sleep", "600")
    agent.wait_log("web", "leader")
    daemon = daemon_of(agent, "web")
    outcome = agent.stop("web", timeout=0.3)
    assert (outcome["killed"], outcome["survivors"]) == (True, [])
    assert not alive([daemon])
    assert not agent.heard("exited", replica="bystander")


def test_a_leader_that_leaves_descendants_behind_takes_them_along(agent: AgentClient) -> None:
    agent.python("web", DAEMONISE, "setsid", "leave")
    exit_notice = agent.wait_notice("exited", replica="web", exit_code=0)
    assert not exit_notice["stopping"]
    daemon = daemon_of(agent, "web")
    agent.wait(lambda: not alive([daemon]), "the end of the daemon")


def test_a_start_waits_for_what_the_one_before_left(agent: AgentClient) -> None:
    agent.python("web", DAEMONISE, "setsid", "leave")
    daemon = daemon_of(agent, "web")
    agent.wait_notice("exited", replica="web")
    agent.start("web", "sleep", "600", start=1)
    assert not alive([daemon])


def test_a_start_that_waits_is_taken_back_by_a_stop(agent: AgentClient) -> None:
    agent.python("web", DAEMONISE, "setsid", "leave")
    agent.wait_notice("exited", replica="web")
    waiting = agent.send("start", replica=agent.plan_json("web", "sleep", "600"), start=1)
    agent.stop("web")
    with pytest.raises(ServiceStartError, match="web was stopped before it could start again"):
        agent.result(waiting)


def test_stopping_what_does_not_run_is_done_at_once(agent: AgentClient) -> None:
    assert agent.stop("web") == {"killed": False, "exit_code": None, "signal": None, "survivors": []}


def test_a_second_stop_can_shorten_the_first(agent: AgentClient) -> None:
    agent.python("web", STUBBORN)
    agent.wait_log("web", "deaf")
    patient = agent.send("stop", replica="web", signal="TERM", timeout=600.0)
    assert agent.stop("web", timeout=0.0)["killed"]
    assert agent.result(patient)["killed"]


def test_a_paused_tree_runs_on_after_resume_and_can_be_stopped_while_paused(agent: AgentClient) -> None:
    leader = agent.start("web", "sh", "-c", "sleep 600 & wait")
    agent.wait(lambda: tree.descendants(leader), "the shell's child")
    everybody = [leader, *tree.descendants(leader)]
    agent.call("signal", replica="web", signal="STOP", scope="tree")
    agent.wait(lambda: {state(pid) for pid in everybody} == {"T"}, "the pause")
    agent.call("signal", replica="web", signal="CONT", scope="tree")
    agent.wait(lambda: "T" not in {state(pid) for pid in everybody}, "the end of the pause")
    agent.call("signal", replica="web", signal="STOP", scope="tree")
    assert not agent.stop("web")["killed"]
    assert not alive(everybody)


def test_killing_the_leader_is_not_a_stop(agent: AgentClient) -> None:
    agent.start("web", "sleep", "600")
    agent.call("signal", replica="web", signal="KILL", scope="leader")
    notice = agent.wait_notice("exited", replica="web")
    assert (notice["signal"], notice["stopping"]) == ("SIGKILL", False)


def test_a_server_starts_over_on_the_same_port(agent: AgentClient) -> None:
    request = {"replica": "web", "port": "main", "ranges": [[20000, 29999]]}
    number = agent.call("lease", requests=[request])["ports"]["web"]["main"][0]
    for start in range(3):
        agent.python("web", SERVER, str(number), str(start), start=start, **with_port(number))
        agent.wait_log("web", f"up {start}")
        with socket.create_connection(("127.0.0.1", number), 5) as connection:
            assert connection.recv(5) == b"hello"
        agent.stop("web")
    agent.close()
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", number))


def test_a_port_that_is_released_can_be_bound_by_a_server_without_reuse_flags(agent: AgentClient) -> None:
    request = {"replica": "web", "port": "main", "ranges": [[20000, 29999]], "hold": "release"}
    number = agent.call("lease", requests=[request])["ports"]["web"]["main"][0]
    bind = "import socket, sys; socket.socket().bind(('127.0.0.1', int(sys.argv[1])))"
    agent.python("held", bind, str(number))
    assert agent.wait_notice("exited", replica="held")["exit_code"] == 1
    agent.python("web", bind, str(number), release=(number,))
    assert agent.wait_notice("exited", replica="web")["exit_code"] == 0


def test_close_answers_when_nothing_is_left(agent: AgentClient) -> None:
    agent.python("deaf", STUBBORN)
    agent.python("daemon", DAEMONISE, "setsid")
    agent.wait_log("deaf", "deaf")
    daemon = daemon_of(agent, "daemon")
    everybody = [pid for pid in agent.pids() if pid not in (agent.agent, agent.guardian)]
    assert daemon in everybody
    agent.call("close")
    assert not alive(everybody)
    assert os.waitid(os.P_PID, agent.process.pid, os.WEXITED | os.WNOWAIT) is not None


def test_nothing_is_started_any_more_while_closing(agent: AgentClient) -> None:
    agent.python("deaf", STUBBORN)
    agent.wait_log("deaf", "deaf")
    closing = agent.send("close")
    with pytest.raises(BackendError, match="'start'"):
        agent.start("late", "sleep", "600")
    assert agent.result(closing) == {}


def test_many_are_stopped_at_once_in_the_time_of_one(agent: AgentClient) -> None:
    names = [f"web.{index}" for index in range(20)]
    for name in names:
        agent.python(name, STUBBORN)
    for name in names:
        agent.wait_log(name, "deaf")
    began = time.monotonic()
    requests = [agent.send("stop", replica=name, signal="TERM", timeout=0.5) for name in names]
    assert all(agent.result(request)["killed"] for request in requests)
    assert time.monotonic() - began < 5.0, "they were stopped one after another"
