"""A hub for each test that asks for one, and a machine that has fetched nothing from it yet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models.hub_machine import Machine
from tests.models.hub_server import Hub, serving


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    hub = Hub(tmp_path / "hub")
    with serving(hub) as server:
        yield Machine(hub, server.url, tmp_path)
