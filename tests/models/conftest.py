"""A hub for each test that asks for one, a machine that has fetched nothing from it yet, and a fake engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from envspec.models.engines import ENGINES
from tests.models.fake_engine import FakeEngine
from tests.models.hub_machine import Machine
from tests.models.hub_server import Hub, serving


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    hub = Hub(tmp_path / "hub")
    with serving(hub) as server:
        yield Machine(hub, server.url, tmp_path)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """Return the engine that `fake` is the backend's name of."""
    engine = FakeEngine()
    monkeypatch.setitem(ENGINES, "fake", engine)
    return engine
