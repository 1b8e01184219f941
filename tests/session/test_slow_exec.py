"""A process that is made, but does not get to execute its program, as where that is on a network mount that hangs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from envspec.agent.wire import Message
from envspec.errors import ServiceStartError
from envspec.session.agent_client import AgentClient
from tests.session.running import Bench

SENTENCE = "web did not start within its start_timeout of 0.20 s: its process was made, but had not executed sleep yet"
ENVIRONMENT = "services: {web: {command: [sleep, '100'], start_timeout: 0.2s}}"


class Exec:
    """Lets no agent answer `start` as long as it hangs, as one does that waits for the exec."""

    hangs = True

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[str, Any]] = []
        request = AgentClient.request

        async def slow(client: AgentClient, do: str, **arguments: Any) -> Message:
            self.asked.append((do, arguments.get("signal")))
            if do == "start" and self.hangs:
                await asyncio.Future()
            return await request(client, do, **arguments)

        monkeypatch.setattr(AgentClient, "request", slow)


@pytest.fixture
def execution(monkeypatch: pytest.MonkeyPatch) -> Exec:
    return Exec(monkeypatch)


def test_a_start_whose_program_is_never_executed_ends_with_its_time(bench: Bench, execution: Exec) -> None:
    error = bench.session(ENVIRONMENT).fails()

    assert isinstance(error, ServiceStartError)
    assert str(error).splitlines()[0] == SENTENCE
    assert "network mount that hangs" in error.hint
    assert ("stop", "KILL") in execution.asked


def test_a_restart_whose_program_is_never_executed_ends_with_its_time(bench: Bench, execution: Exec) -> None:
    execution.hangs = False
    session = bench.session(ENVIRONMENT).up()
    execution.hangs = True

    with pytest.raises(ServiceStartError, match=r"had not executed sleep yet"):
        session.background.fault("restart", "web")
