"""environments/vllm/cpu-single.yaml, up with the real vLLM: it answers, always the same, and dies without a trace."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

import envspec

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
SHARED = Path("/dev/shm")
PROMPT = "Hello"
GOLDEN = "\f\f\f\f\f w1959 w1959 w1959"
"""What the weights of seed 0 say to PROMPT, greedily. It changes only with them, or with vLLM's arithmetic."""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[envspec.Environment]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv("ENVSPEC_STATE_DIR", str(home / "state"))
        patch.setenv("ENVSPEC_CACHE_DIR", str(home / "cache"))
        with envspec.up("vllm/cpu-single") as live:
            yield live


def ask(environment: envspec.Environment, kind: str, **question: Any) -> requests.Response:
    question = {"model": "chat", "max_tokens": 8, "temperature": 0, **question}
    url = f"{environment['vllm'].url()}/v1/{kind}"
    answer = requests.post(url, json=question, timeout=60, stream=bool(question.get("stream")))
    assert answer.status_code == 200, answer.text
    return answer


def complete(environment: envspec.Environment) -> str:
    text: str = ask(environment, "completions", prompt=PROMPT).json()["choices"][0]["text"]
    return text


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.01)


def processes(environment: envspec.Environment) -> list[psutil.Process]:
    leader = psutil.Process(environment["vllm"].pid)
    return [leader, *leader.children(recursive=True)]


def shared_by(process: psutil.Process) -> set[str]:
    """Return what of /dev/shm a process has mapped. By inode: a semaphore is mapped under another name than it has."""
    inodes = re.findall(r" (\d+) +/dev/shm/", Path(f"/proc/{process.pid}/maps").read_text())
    return {entry.name for entry in os.scandir(SHARED) if str(entry.inode()) in inodes}


def test_it_is_called_by_its_folder_and_file(environment: envspec.Environment) -> None:
    assert environment.name == "vllm/cpu-single"
    assert "/" not in environment.id


def test_a_chat_is_answered(environment: envspec.Environment) -> None:
    answer = ask(environment, "chat/completions", messages=[{"role": "user", "content": PROMPT}]).json()
    assert answer["choices"][0]["message"]["content"]
    assert answer["usage"]["completion_tokens"] == 8


def test_greedy_text_is_the_golden_one_each_time(environment: envspec.Environment) -> None:
    assert [complete(environment) for _ in range(3)] == [GOLDEN] * 3


def test_a_stream_says_the_same_piece_by_piece(environment: envspec.Environment) -> None:
    with ask(environment, "completions", prompt=PROMPT, stream=True) as answer:
        data = [line.removeprefix(b"data: ") for line in answer.iter_lines() if line.startswith(b"data: ")]
    assert data[-1] == b"[DONE]"
    pieces = [choice["text"] for event in data[:-1] for choice in json.loads(event)["choices"]]
    assert len(pieces) > 1
    assert "".join(pieces) == GOLDEN


def test_other_machines_cannot_reach_it(environment: envspec.Environment) -> None:
    listeners = [
        connection.laddr
        for process in processes(environment)
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listeners) > 1, "vLLM has listeners of its own beside the server's"
    assert [address for address in listeners if not ipaddress.ip_address(address.ip).is_loopback] == []


def test_its_sockets_are_in_the_sessions_own_directory(environment: envspec.Environment) -> None:
    """Under TMPDIR, where vLLM puts them by itself, a killed server would leave them."""
    sockets = Path("/proc/net/unix").read_text().splitlines()
    ours = {str(inode) for process in processes(environment) for inode in socket_inodes(process)}
    named = [fields[7] for line in sockets if len(fields := line.split()) == 8 and fields[6] in ours]
    paths = [path for path in named if not path.startswith("@")]
    assert paths, "vLLM's processes talk over sockets with names"
    assert {Path(path).parent.name for path in paths} == {Path(paths[0]).parent.name} != {"tmp"}


def socket_inodes(process: psutil.Process) -> Iterator[str]:
    for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
        match = re.fullmatch(r"socket:\[(\d+)\]", str(descriptor.readlink()))
        if match:
            yield match[1]


def test_sigkill_of_the_server_leaves_no_process_and_no_shared_memory(environment: envspec.Environment) -> None:
    """The last one here: nothing is up after it."""
    everybody = processes(environment)
    names = [" ".join(process.cmdline()) for process in everybody]
    assert any("EngineCore" in name for name in names)
    assert any("Worker" in name for name in names)
    shared = set().union(*map(shared_by, everybody))
    assert any(name.startswith("psm_") for name in shared), "else there is nothing to be left"

    os.kill(everybody[0].pid, signal.SIGKILL)

    wait_for(lambda: not any(process.is_running() for process in everybody), "the end of all of its processes")
    wait_for(lambda: not any((SHARED / name).exists() for name in shared), "the removal of what they shared")
    wait_for(lambda: environment["vllm"].state == "failed", "the state")
