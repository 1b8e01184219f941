from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep sessions of these tests apart from those of the person who runs them."""
    monkeypatch.setenv("ENVSPEC_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture(autouse=True)
def no_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the runs of these tests write what people see: in CI, pytest's summary repeats whole messages."""
    monkeypatch.delenv("CI", raising=False)
