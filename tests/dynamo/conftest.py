"""Tests of the real Dynamo on real etcd and NATS; where it is not installed they are skipped, all for one reason."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

REASON = "Dynamo is not installed here: pip install 'envspec[dynamo]'"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if find_spec("dynamo") is None:
        for item in items:
            if item.path.is_relative_to(Path(__file__).parent):
                item.add_marker(pytest.mark.skip(REASON))
