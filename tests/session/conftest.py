"""Every test has a state directory of its own, and what it starts is stopped when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from envspec.session import registry
from envspec.session.control import Control
from envspec.session.live import Environment
from tests.session.lent import Lent
from tests.session.running import Bench, Running


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A place for environment files, and sessions of them."""
    monkeypatch.setenv("ENVSPEC_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("ENVSPEC_CACHE_DIR", str(tmp_path / "cache"))
    with Bench(tmp_path) as made:
        yield made


@pytest.fixture
def lent(bench: Bench) -> Iterator[Lent]:
    """Lending whose sessions are all stopped in the end."""
    yield Lent(bench)
    for entry in registry.sessions():
        Control(entry.directory).stop("the test is over")


@pytest.fixture(params=["in the same process", "over the control socket"])
def live(session: Running, request: pytest.FixtureRequest) -> Environment:
    """The environment of the fixture `session` of whoever asks."""
    over_socket = request.param == "over the control socket"
    return Environment(Control(Path(session.background.status().dir)) if over_socket else session.background)


@pytest.fixture
def environment(session: Running) -> Environment:
    """The same, in the process of the session alone."""
    return Environment(session.background)
