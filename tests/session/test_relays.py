"""What a session knows of the relays before its ports."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from envspec.errors import BackendError
from envspec.plan.plan import Plan
from envspec.plan.toxics import Toxics
from envspec.resolve import resolve, stand_in
from envspec.session.agent_client import AgentClient
from envspec.session.relays import Relays
from envspec.session.status import SessionStatus, planned
from envspec.spec.load import load

FILE = "version: 1\nservices: {web: {use: http-server, ports: {http: {proxy: true}}}}\n"


def plan_of(folder: Path) -> Plan:
    (folder / "env.yaml").write_text(FILE)
    environment = load(folder / "env.yaml", environ={})
    return resolve(environment, stand_in(environment), {})


class Hung:
    """An agent whose relay answers nothing."""

    async def request(self, _do: str, **_arguments: Any) -> None:
        raise BackendError("the relay before web.http (pid 1) does not answer")


def test_what_a_relay_did_not_do_is_not_taken_for_done(tmp_path: Path) -> None:
    relays = Relays(plan_of(tmp_path), cast("AgentClient", Hung()))
    with pytest.raises(BackendError):
        asyncio.run(relays.do("web", "http", Toxics(drop=True)))
    assert relays.ailing() == []


def test_the_status_of_a_session_says_which_ports_have_a_relay(tmp_path: Path) -> None:
    status = planned(SessionStatus("s", "env"), plan_of(tmp_path))
    (web,) = status.to_json()["services"]
    assert list(web["relayed"]) == ["http"]
