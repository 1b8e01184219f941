from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep sessions of these tests apart from those of the person who runs them."""
    monkeypatch.setenv("ENVSPEC_STATE_DIR", str(tmp_path / "state"))
