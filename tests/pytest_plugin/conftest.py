from __future__ import annotations

from pathlib import Path

import pytest

UNUSED = ("anyio", "xprocess", "sglang_tests", "trtllm_tests", "vllm_tests")


@pytest.fixture(autouse=True)
def own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep sessions of these tests apart from those of the person who runs them."""
    monkeypatch.setenv("ENVSPEC_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture(autouse=True)
def no_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the runs of these tests write what people see: in CI, pytest's summary repeats whole messages."""
    monkeypatch.delenv("CI", raising=False)


@pytest.fixture(autouse=True)
def few_plugins(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the runs of these tests, some 500 processes, not each import plugins that happen to be installed here.

    Set after `pytester`, which removes it.
    """
    if "pytester" in request.fixturenames:
        request.getfixturevalue("pytester")
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(f"-p no:{name}" for name in UNUSED))
