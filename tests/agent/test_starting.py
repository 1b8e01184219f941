"""What a service finds when it starts, and what is said when it cannot."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

import pytest

from envspec.agent import tree
from envspec.agent.processes import EXECUTING, Birth
from envspec.errors import BackendError, ServiceStartError
from tests.agent.agent_client import AgentClient, agent_in, alive, state

START_CAUGHT = 3
SELF_PORTRAIT = """
import json, os
print(json.dumps({
    "descriptors": sorted(os.listdir("/proc/self/fd"))[:-1],
    "stdin": os.readlink("/proc/self/fd/0"),
    "leads_session": os.getsid(0) == os.getpid(),
    "cwd": os.getcwd(),
    "env": dict(os.environ),
}), flush=True)
"""


def test_a_service_starts_clean_whatever_its_owner_is_like(agent: AgentClient) -> None:
    plan = agent.plan("web")
    env = {"PATH": "/bin", "GREETING": "grüß", "LC_ALL": "C.UTF-8"}
    agent.python("web", SELF_PORTRAIT, env=env)
    agent.wait_notice("exited", replica="web")
    seen = json.loads(agent.log("web"))
    assert seen["descriptors"] == ["0", "1", "2"]
    assert seen["stdin"] == "/dev/null"
    assert seen["leads_session"]
    assert seen["cwd"] == plan.cwd
    assert seen["env"] == {**env, "ENVSPEC_SESSION": agent.session, "ENVSPEC_REPLICA": "web"}


def test_what_the_owner_ignores_or_lacks_is_not_handed_on(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft // 2, hard))
    try:
        with agent_in(tmp_path / "session") as agent:
            agent.start("web", "sh", "-c", "ulimit -Sn; grep -E 'SigBlk|SigIgn' /proc/self/status")
            agent.wait_notice("exited", replica="web", exit_code=0)
            limit, *masks = agent.log("web").decode().splitlines()
    finally:
        signal.signal(signal.SIGHUP, before)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert int(limit) == soft // 2, "the agent raises its own limit, not that of services"
    # 32 and 33 are the C library's own: nobody can set them, and whoever started pytest may have left them ignored.
    ours = ~(1 << 31 | 1 << 32)
    assert [int(mask.split()[1], 16) & ours for mask in masks] == [0, 0]


def test_files_are_in_the_directory_before_the_service_starts(agent: AgentClient) -> None:
    agent.start("web", "cat", "conf/deep/web.yaml", files={"conf/deep/web.yaml": "port: 1\n"})
    agent.wait_notice("exited", replica="web", exit_code=0)
    assert agent.log("web") == b"port: 1\n"


def test_a_command_that_does_not_exist_is_named(agent: AgentClient) -> None:
    with pytest.raises(ServiceStartError) as caught:
        agent.start("web", "no-such-server", env={"PATH": "/opt/a:/opt/b"}, hint="pip install 'envspec[local]'")
    assert str(caught.value) == "web: command not found: no-such-server, on PATH"
    assert caught.value.hint == "pip install 'envspec[local]'"
    assert caught.value.service == "web"


def test_a_command_that_cannot_be_executed_says_why(agent: AgentClient, tmp_path: Path) -> None:
    plain, script, broken = tmp_path / "plain", tmp_path / "script", tmp_path / "broken"
    windows = tmp_path / "windows"
    plain.write_text("text")
    script.write_text("#!/no/such/python -u\n")
    broken.write_text("no program")
    windows.write_bytes(b"#!/bin/sh\r\necho\r\n")
    for file in (script, broken, windows):
        file.chmod(0o755)
    refusals = {
        str(plain): f"the command is not executable: {plain}; make it so, or name its interpreter before it",
        str(tmp_path): f"the command is a directory: {tmp_path}",
        str(script): f"cannot execute {script}: its interpreter does not exist: /no/such/python -u",
        str(broken): f"cannot execute {broken}: Exec format error: if it is a script, its first line has to name what "
        "runs it, as #!/bin/sh does",
        str(windows): f"cannot execute {windows}: its interpreter does not exist: '/bin/sh\\r': the script has Windows "
        "line ends",
        "./gone": f"command not found: {agent.plan('web').cwd}/gone",
        "./gone 10": f"command not found: {agent.plan('web').cwd}/gone 10; a command is a list of words: [./gone, 10]",
    }
    for command, refusal in refusals.items():
        with pytest.raises(ServiceStartError) as caught:
            agent.start("web", command)
        assert str(caught.value) == f"web: {refusal}"


def test_a_missing_working_directory_is_named(agent: AgentClient) -> None:
    with pytest.raises(ServiceStartError, match="web: the working directory does not exist: /no/such/place"):
        agent.start("web", "true", cwd="/no/such/place")


def test_an_argument_that_no_process_can_have_is_an_answer_not_a_crash(agent: AgentClient) -> None:
    with pytest.raises(ServiceStartError, match="embedded null byte"):
        agent.start("web", "echo", "a\0b")
    with pytest.raises(ServiceStartError, match="Argument list too long"):
        agent.start("web", "echo", "x" * 3_000_000)
    agent.start("web", "true")


def test_a_failed_start_can_be_followed_by_a_good_one(agent: AgentClient) -> None:
    with pytest.raises(ServiceStartError):
        agent.start("web", "no-such-server")
    agent.start("web", "true", start=1)
    assert agent.wait_notice("exited", replica="web")["start"] == 1


def test_a_replica_that_runs_is_not_started_twice(agent: AgentClient) -> None:
    pid = agent.start("web", "sleep", "60")
    with pytest.raises(BackendError, match=rf"web runs already \(pid {pid}\)"):
        agent.start("web", "sleep", "60")


def test_of_many_that_start_at_once_each_is_told_what_came_of_it(agent: AgentClient) -> None:
    names = [f"web.{number}" for number in range(12)]
    bad = set(names[::3])
    plans = {name: agent.plan_json(name, *(["no-such-server"] if name in bad else ["sleep", "60"])) for name in names}
    requests = {name: agent.send("start", replica=plan, start=0) for name, plan in plans.items()}
    for name in bad:
        with pytest.raises(ServiceStartError, match=f"{name}: command not found"):
            agent.result(requests[name])
    pids = {name: agent.result(requests[name])["pid"] for name in names if name not in bad}
    recorded = json.loads((agent.directory / "processes.json").read_text())["processes"]
    assert {name: recorded[name]["pid"] for name in pids} == pids
    assert all(Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x0060\x00" for pid in pids.values())


def test_a_start_is_told_with_the_time_at_which_its_process_was_made(agent: AgentClient) -> None:
    """Its neighbour's files keep the agent busy while it already runs."""
    begin = time.monotonic()
    tells = [sys.executable, "-I", "-S", "-c", "import time; print(time.monotonic())"]
    files = {f"{number}": "" for number in range(3000)}
    asked = agent.send_together(
        {"do": "start", "replica": agent.plan_json("web", *tells), "start": 0},
        {"do": "start", "replica": agent.plan_json("slow", "true", files=files), "start": 0},
    )
    at = [agent.result(request)["at"] for request in asked]
    agent.wait_notice("exited", replica="web")
    assert begin < at[0] < float(agent.log("web"))
    assert at[0] < at[1]


def test_a_signal_in_the_instant_of_a_start_is_not_lost_and_ends_only_that_service(agent: AgentClient) -> None:
    """Where it comes before the exec, nothing was started; else that is told, and then its exit."""
    for start in range(20):
        plan = agent.plan_json("web", "sleep", "60")
        asked = agent.send("start", replica=plan, start=start)
        stopped = agent.send("stop", replica="web", signal="TERM", timeout=30.0)
        assert agent.result(stopped) == {"killed": False, "exit_code": None, "signal": "SIGTERM", "survivors": []}
        exits = agent.heard("exited", replica="web", start=start)
        pid, refusal = 0, ""
        try:
            pid = agent.result(asked)["pid"]
        except ServiceStartError as error:
            refusal = str(error)
        assert refusal in ("", "web was stopped before it executed sleep")
        assert [(exited["pid"], exited["stopping"]) for exited in exits] == ([] if refusal else [(pid, True)])
        assert refusal or not alive([pid])
    assert agent.call("renew") == {}


def test_a_process_that_is_killed_before_its_exec_was_not_started(agent: AgentClient) -> None:
    pid, asked = caught_before_exec(agent)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ServiceStartError) as caught:
        agent.result(asked)
    assert str(caught.value) == "web: it was ended by SIGKILL before it executed sleep"
    assert "out-of-memory killer" in str(caught.value.hint)
    assert not agent.heard("exited", start=START_CAUGHT)
    assert agent.start("web", "sleep", "60", start=START_CAUGHT + 1)


def caught_before_exec(agent: AgentClient) -> tuple[int, int]:
    """Pause a process between its fork and its exec; return its pid, and the number of the request to start it."""
    pause = {"do": "signal", "replica": "web", "signal": "STOP"}
    for _ in range(100):
        start = {"do": "start", "replica": agent.plan_json("web", "sleep", "60"), "start": START_CAUGHT}
        asked, paused = agent.send_together(start, pause)
        agent.result(paused)
        [pid] = [pid for pid in tree.children(agent.agent) if state(pid) == "T"]
        if tree.command_of(pid) == tree.command_of(agent.agent):
            return pid, asked
        agent.result(asked)
        agent.stop("web", stop_signal="KILL")
        agent.notices.clear()
    pytest.fail("each was faster than the signal that followed it")


def test_an_exec_that_takes_its_time_is_waited_for_without_blocking() -> None:
    report, child = os.pipe()
    os.set_blocking(report, False)
    birth = Birth(os.getpid(), report, 0.0)
    assert not birth.is_decided()
    os.write(child, EXECUTING)  # and now its program is on a disk that does not answer
    assert not birth.is_decided()
    os.close(child)
    assert birth.is_decided()
    assert birth.executes()


def test_an_exit_is_told_with_its_code_or_signal(agent: AgentClient) -> None:
    agent.start("leaves", "sh", "-c", "exit 7")
    agent.start("dies", "sh", "-c", "kill -SEGV $$")
    left = agent.wait_notice("exited", replica="leaves")
    died = agent.wait_notice("exited", replica="dies")
    assert (left["exit_code"], left["signal"], left["stopping"], left["oom"]) == (7, None, False, "")
    assert (died["exit_code"], died["signal"]) == (None, "SIGSEGV")


def test_a_replica_is_started_over_with_the_same_log(agent: AgentClient) -> None:
    for start in range(3):
        agent.start("web", "echo", f"start {start}", start=start)
        agent.wait_notice("exited", replica="web", start=start)
    assert agent.log("web") == b"start 0\nstart 1\nstart 2\n"


def test_what_the_agent_does_not_understand_is_an_answer(agent: AgentClient) -> None:
    with pytest.raises(BackendError, match="'dance'"):
        agent.call("dance")
    with pytest.raises(BackendError, match="'start'"):
        agent.call("start")
    assert agent.call("renew") == {}


def test_the_temporary_directory_is_short_private_and_gone_at_the_end(agent: AgentClient) -> None:
    tmp = Path(agent.hello["tmp"])
    (tmp / "left").write_text("")
    assert len(str(tmp)) < 60
    assert tmp.stat().st_mode & 0o777 == 0o700
    agent.close()
    assert not tmp.exists()
