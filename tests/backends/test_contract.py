"""What every backend owes to the session. A new backend is one more parameter here."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envspec.agent.identity import start_time
from envspec.backends.base import Backend
from envspec.backends.local import LocalBackend, launch_early
from envspec.backends.table import BACKENDS
from envspec.errors import AgentLostError, EnvspecError, ServiceExitedError
from envspec.plan import events as e
from envspec.plan.fault import Order
from envspec.session.agent_client import AgentClient
from envspec.session.request import Request
from envspec.session.session import Session
from tests.backends.tcp_backend import TcpBackend

MakeBackend = Callable[[], Backend]


def _early() -> Backend:
    return LocalBackend(launch_early())


@pytest.fixture(params=[*BACKENDS.values(), _early, TcpBackend], ids=[*BACKENDS, "local, started early", "tcp"])
def make(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeBackend:
    monkeypatch.setenv("ENVSPEC_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("ENVSPEC_CACHE_DIR", str(tmp_path / "cache"))
    chosen: MakeBackend = request.param
    return chosen


def _greeting(directory: Path) -> dict[str, Any]:
    return {"session": "contract", "directory": str(directory), "folder": str(directory)}


def test_an_agent_answers_on_the_stream(make: MakeBackend, tmp_path: Path) -> None:
    async def scenario() -> dict[str, Any]:
        backend = make()
        client = AgentClient(await backend.open(), lambda _: None)
        answer = await client.hello(backend.ttl, **_greeting(tmp_path))
        await client.close()
        await backend.close()
        return answer

    answer = asyncio.run(scenario())
    assert Path(answer["tmp"]).exists() is False, "whoever answered is gone, with its directory"
    assert start_time(answer["pid"]) is None
    assert start_time(answer["guardian"]) is None


def test_closing_what_was_never_opened_is_allowed(make: MakeBackend) -> None:
    async def close_twice() -> bool:
        backend = make()
        await backend.close()
        await backend.close()
        return True

    assert asyncio.run(close_twice())


def test_the_death_of_the_agent_ends_the_stream(make: MakeBackend, tmp_path: Path) -> None:
    async def scenario() -> AgentLostError:
        backend = make()
        client = AgentClient(await backend.open(), lambda _: None)
        answer = await client.hello(backend.ttl, **_greeting(tmp_path))
        os.kill(answer["pid"], signal.SIGKILL)
        error = await client.lost
        with pytest.raises(AgentLostError):
            await client.request("lease", requests=[])
        await client.close()
        await backend.close()
        return error

    assert "the agent is gone" in str(asyncio.run(scenario()))


ENVIRONMENT = """
version: 1
models: {chat: {synthetic: {architecture: qwen3}}}
services:
  certs: {kind: task, command: [sh, -c, "echo paper > ca.pem"]}
  web:
    command: [python, -m, http.server, "{{ ports.http }}", --bind, 127.0.0.1]
    cwd: "{{ services.certs.dir }}"
    ports: {http: auto}
    depends_on: [certs]
    health: [{http: {port: http, path: /ca.pem, text: paper}}]
  client:
    command: [sh, -c, "ls {{ models.chat.path }}; exec sleep 100"]
    replicas: 2
    depends_on: [web]
    restart: {on: failure, max: 1}
ready: [{http: {endpoint: web.http, path: /}}]
"""


def test_a_whole_session_is_the_same_over_every_backend(make: MakeBackend, tmp_path: Path) -> None:
    events: list[e.Event] = []

    async def scenario() -> None:
        session = Session(_request(tmp_path, ENVIRONMENT), make())
        session.subscribe(events.append)
        again = asyncio.Event()
        session.subscribe(lambda event: again.set() if event in _starts(events, "client.1")[1:] else None)
        await session.start()
        await session.fault(Order("kill", "client.1"))
        await again.wait()
        log = await session.read_log("client.0", 0, 65536)
        assert b"config.json" in log.data
        await session.stop("the end")
        assert session.status.state == "stopped"

    asyncio.run(scenario())
    kinds = [type(event).__name__ for event in events]
    for kind in ("ModelReady", "ReplicaSucceeded", "ReplicaListening", "CheckAnswered", "SessionHealthy"):
        assert kind in kinds
    stopped = [event.replica for event in events if isinstance(event, e.ReplicaStopped)]
    assert set(stopped[:2]) == {"client.0", "client.1"}
    assert stopped[2] == "web"
    assert all(start_time(event.pid) is None for event in events if isinstance(event, e.ReplicaSpawned))


def _starts(events: list[e.Event], replica: str) -> list[e.Event]:
    return [event for event in events if isinstance(event, e.ReplicaSpawned) and event.replica == replica]


def test_a_failure_is_told_the_same_way_over_every_backend(make: MakeBackend, tmp_path: Path) -> None:
    async def scenario() -> EnvspecError:
        session = Session(_request(tmp_path, "version: 1\nservices: {web: {kind: task, command: ['false']}}"), make())
        with pytest.raises(ServiceExitedError) as caught:
            await session.start()
        return caught.value

    assert str(asyncio.run(scenario())).startswith("web exited with code 1")


def test_a_session_that_falls_silent_loses_an_agent_with_a_time_to_live(tmp_path: Path) -> None:
    async def scenario() -> AgentLostError:
        backend = TcpBackend(ttl=0.3)
        client = AgentClient(await backend.open(), lambda _: None)
        await client.request("hello", protocol=1, ttl=0.3, **_greeting(tmp_path))
        error = await client.lost  # nobody renews
        await client.close()
        await backend.close()
        return error

    assert "the agent is gone" in str(asyncio.run(asyncio.wait_for(scenario(), 20)))


def _request(directory: Path, text: str) -> Request:
    file = directory / "env.yaml"
    file.write_text(text)
    return Request(file, environ=dict(os.environ))
