"""Tests of the real vLLM, which lives in an environment of its own; elsewhere they are skipped, all for one reason."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

REASON = "vLLM is not installed here: `make test-vllm` installs it into .venv-vllm and runs these tests there"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if find_spec("vllm") is None:
        for item in items:
            if item.path.is_relative_to(Path(__file__).parent):
                item.add_marker(pytest.mark.skip(REASON))
