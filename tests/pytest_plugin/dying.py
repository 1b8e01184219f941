"""An environment whose services die while tests run, and what those tests need for that."""

from __future__ import annotations

import pytest

PAIR = """
version: 1
services:
  worker: {command: [sleep, "1000"], replicas: 2}
  mortal: {command: [sleep, "1000"], restart: {on: failure}}
  watched:
    shell: touch alive; exec sleep 1000
    health: [{exec: {shell: test -e alive}}]
    liveness: {every: 100ms, failures: 1}
"""

HELP = """
import json, os, pathlib, signal, socket, threading, time
import pytest

def kill(environment, name, after=0.2, number=signal.SIGKILL):
    threading.Timer(after, os.kill, (environment[name].pid, number)).start()

def kill_with_late_news(environment, name):
    agent = json.loads((environment.dir / "processes.json").read_text())["agent"]["pid"]
    worker = environment[name].pid
    os.kill(agent, signal.SIGSTOP)  # as on a busy machine
    os.kill(worker, signal.SIGKILL)
    threading.Timer(0.2, os.kill, (agent, signal.SIGCONT)).start()

def block():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).recv(1)
"""


def dying(pytester: pytest.Pytester) -> pytest.Pytester:
    """Write the environment `pair`."""
    (pytester.mkdir("environments") / "pair.yaml").write_text(PAIR)
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\naddopts = ['-p', 'no:cacheprovider', '--timeout=30']\n")
    return pytester


def run(project: pytest.Pytester, tests: str, *options: str) -> pytest.RunResult:
    project.makepyfile(HELP + tests)
    return project.runpytest_subprocess("--env=pair", *options)


def text_of(result: pytest.RunResult) -> str:
    return result.stdout.str()
