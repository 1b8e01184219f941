"""A blocking owner of one agent, for tests: speaks the protocol over a socket pair."""

from __future__ import annotations

import base64
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from envspec.agent import tree
from envspec.agent.launch import launch
from envspec.agent.prober_client import NAME
from envspec.agent.wire import Message, Splitter, decode, encode, error_from_json
from envspec.errors import EnvspecError
from envspec.plan.codec import to_json
from envspec.plan.plan import Check, Endpoint, ReplicaPlan, Stop

PATIENCE = 30.0


def probers_among(pids: Iterable[int]) -> list[int]:
    """Return those of `pids` that are probers: forks of the agent by their name, others by what they run."""
    return [pid for pid in pids if name_of(pid) == NAME or "agent.prober" in tree.command_of(pid)]


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


class AgentClient:
    """An agent, and everything it has said. `meanwhile` is called with the guardian's pid before hello."""

    def __init__(
        self, directory: Path, *, meanwhile: Callable[[int], object] = lambda _guardian: None, **hello: Any
    ) -> None:
        self.directory = directory
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = launch(theirs)
        self.stream = ours
        meanwhile(self.process.pid)
        self.notices: list[Message] = []
        self._replies: dict[int, Message] = {}
        self._splitter = Splitter()
        self._last = 0
        self.session = f"test-{os.getpid()}-{directory.parent.name}"
        place = {"directory": str(directory), "folder": str(directory)}
        greeting = {"protocol": 1, "session": self.session, **place}
        try:
            self.hello = self.call("hello", **{**greeting, **hello})
        except EnvspecError:
            self.close()
            raise
        self.agent: int = self.hello["pid"]
        self.guardian: int = self.hello["guardian"]

    def send(self, verb: str, **arguments: Any) -> int:
        self._last += 1
        self.stream.sendall(encode({"id": self._last, "do": verb, **arguments}))
        return self._last

    def send_together(self, *messages: Message) -> list[int]:
        """Send requests that the agent reads at once, as far as one read takes them."""
        numbers = [self._last + number for number in range(1, len(messages) + 1)]
        self._last += len(messages)
        self.stream.sendall(b"".join(encode({"id": n, **m}) for n, m in zip(numbers, messages, strict=True)))
        return numbers

    def result(self, request: int) -> Message:
        self.wait(lambda: request in self._replies, f"the reply to request {request}")
        reply = self._replies.pop(request)
        if "error" in reply:
            raise error_from_json(reply["error"])
        ok: Message = reply["ok"]
        return ok

    def call(self, verb: str, **arguments: Any) -> Message:
        return self.result(self.send(verb, **arguments))

    def wait(self, condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
        """Read what the agent says until the condition holds."""
        deadline = time.monotonic() + seconds
        while not (held := condition()):
            left = deadline - time.monotonic()
            assert left > 0, f"{what} did not come; heard: {self.notices}"
            self.read(min(left, 0.01))
        return held

    def read(self, seconds: float) -> bool:
        """Take in what has come; False once the stream has ended."""
        if not select.select([self.stream], [], [], seconds)[0]:
            return True
        data = self.stream.recv(65536)
        for message in map(decode, self._splitter.feed(data)):
            if "notice" in message:
                self.notices.append(message)
            else:
                self._replies[message["id"]] = message
        return bool(data)

    def heard(self, notice: str, **fields: Any) -> list[Message]:
        wanted = {"notice": notice, **fields}.items()
        return [message for message in self.notices if wanted <= message.items()]

    def wait_notice(self, notice: str, seconds: float = PATIENCE, **fields: Any) -> Message:
        found: list[Message] = self.wait(lambda: self.heard(notice, **fields), f"{notice} {fields}", seconds)
        return found[-1]

    def plan(self, name: str, *argv: str, **changes: Any) -> ReplicaPlan:
        directory = self.directory / "replicas" / name
        defaults: dict[str, Any] = {
            "service": name.split(".", maxsplit=1)[0],
            "index": 0,
            "host": "127.0.0.1",
            "dir": str(directory),
            "cwd": str(directory),
            "log": str(self.directory / "logs" / f"{name}.log"),
            "env": {"PATH": os.environ["PATH"]},
            "stop": Stop("TERM", 5.0),
        }
        return ReplicaPlan(name=name, argv=argv, **{**defaults, **changes})

    def plan_json(self, name: str, *argv: str, **changes: Any) -> Message:
        message: Message = to_json(self.plan(name, *argv, **changes))
        return message

    def start(self, name: str, *argv: str, start: int = 0, **changes: Any) -> int:
        """Start a replica and return its pid."""
        pid: int = self.call("start", replica=self.plan_json(name, *argv, **changes), start=start)["pid"]
        return pid

    def python(self, name: str, code: str, *arguments: str, **changes: Any) -> int:
        """Start a replica that is a piece of Python."""
        return self.start(name, sys.executable, "-I", "-S", "-c", code, *arguments, **changes)

    def stop(self, name: str, timeout: float = 5.0, stop_signal: str = "TERM") -> Message:
        return self.call("stop", replica=name, signal=stop_signal, timeout=timeout)

    def log(self, name: str, offset: int = 0, limit: int = 65536) -> bytes:
        return base64.b64decode(self.call("log", replica=name, offset=offset, limit=limit)["data"])

    def wait_log(self, name: str, text: str) -> str:
        def found() -> str:
            log = self.log(name).decode(errors="replace")
            return log if text in log else ""

        log: str = self.wait(found, f"{text!r} in the log of {name}")
        return log

    def pids(self) -> list[int]:
        """Everything that belongs to this agent, itself and the guardian included."""
        return [self.guardian, *tree.descendants(self.guardian)]

    def close(self) -> None:
        self.stream.close()
        assert self.process.wait(PATIENCE) == 0


@contextmanager
def agent_in(directory: Path, **hello: Any) -> Iterator[AgentClient]:
    client = AgentClient(directory, **hello)
    try:
        yield client
    finally:
        client.close()


def alive(pids: list[int]) -> list[int]:
    """Those that still run; zombies do not."""
    return [pid for pid in pids if Path(f"/proc/{pid}").exists() and state(pid) != "Z"]


def state(pid: int) -> str:
    """The letter of /proc/PID/stat: R, S, T (stopped), Z."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "Z"
    return text[text.rindex(")") + 2]


def wait_until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> float:
    """Wait for something that no agent tells; return how long that took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds, f"{what} did not come within {seconds} s"
        signal.sigtimedwait((), 0.005)
    return time.monotonic() - begin


def wait_gone(pids: list[int], seconds: float = PATIENCE) -> float:
    """Wait until none of them runs; return how long that took."""
    return wait_until(lambda: not alive(pids), f"the end of {[(pid, tree.command_of(pid)) for pid in pids]}", seconds)


def port_check(kind: str, number: int, **fields: Any) -> Check:
    """A check of the replica's port `main`."""
    end = Endpoint("main", "http", "127.0.0.1", number)
    return Check(kind, {"port": "main", **fields}, 2.0, f"services.x.health[0] ({kind})", "x.yaml:1:1", (end,))


def with_port(number: int) -> dict[str, Any]:
    """What a plan says about the one port `main`."""
    return {"ports": {"main": (number,)}, "endpoints": {"main": (Endpoint("main", "http", "127.0.0.1", number),)}}
