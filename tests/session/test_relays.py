"""What a session remembers of what is done at its ports."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from envspec.errors import BackendError
from envspec.plan.toxics import NOTHING, Toxics
from envspec.resolve import resolve, stand_in
from envspec.session.agent_client import AgentClient
from envspec.session.relays import Relays
from envspec.spec.load import load

FILE = "version: 1\nservices: {web: {use: http-server, ports: {http: {proxy: true}}}}\n"


class Hung:
    """An agent whose relay answers nothing."""

    async def request(self, _do: str, **_arguments: Any) -> None:
        raise BackendError("the relay before web.http (pid 1) does not answer")


def test_what_a_relay_did_not_do_is_not_taken_for_done(tmp_path: Path) -> None:
    file = tmp_path / "env.yaml"
    file.write_text(FILE)
    environment = load(file, environ={})
    relays = Relays(resolve(environment, stand_in(environment), {}), cast("AgentClient", Hung()))
    with pytest.raises(BackendError):
        asyncio.run(relays.do("web", "http", Toxics(drop=True)))
    assert relays.toxics("web", "http") == NOTHING
