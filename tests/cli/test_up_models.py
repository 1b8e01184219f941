"""`envspec up` while models come: what an interruption leaves of them."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from tests.cli.conftest import WEB, eventually
from tests.models.hub_models import write_model
from tests.models.hub_server import Hub


def test_ctrl_c_leaves_nothing_of_a_model_that_was_coming(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/big", 3)
    hub.spoil("model.safetensors", stall=2_000_000, times=9)
    envspec.write(f"{WEB}    models: [big]\nmodels: {{big: {{repo: org/big}}}}\n")
    home = Path(envspec.environ["HF_HOME"])
    running = envspec.start("up")
    eventually(lambda: list(home.rglob("*.incomplete")), "the download")
    running.signal(signal.SIGINT)
    assert running.end() == 130
    assert not list(home.rglob("*.incomplete"))
