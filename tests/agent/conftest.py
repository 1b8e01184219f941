"""An agent for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.agent_client import AgentClient, agent_in


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentClient]:
    with agent_in(tmp_path / "session") as client:
        yield client
