"""How many environments of a run may be up at once: as --env-up says, and as the host's memory holds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import psutil
import pytest

from envspec.errors import EnvspecError
from envspec.pytest_plugin.naming import Naming
from envspec.pytest_plugin.turns import Turns
from envspec.pytest_plugin.wanted import Wanted


def turns_of(config: pytest.Config, naming: Naming, *, bounded: bool) -> Turns:
    """Return the turns of this run. Unless `bounded`, a test never waits for its turn."""
    available = psutil.virtual_memory().available  # before any environment takes some

    @cache
    def memory(name: str) -> int:
        from envspec.session.draft import draft  # takes long, and is needed where there are several

        try:
            return draft(naming.request(name)).outline.requires.memory
        except EnvspecError:
            return 0  # its start will say what is wrong

    def fits(together: Sequence[Wanted]) -> bool:
        return sum(memory(wanted.name) for wanted in together) <= available

    return Turns(config.getoption("--env-up"), fits, bounded=bounded)


def is_given_up(config: pytest.Config) -> bool:
    """Tell whether xdist has ended the run before its tests are over: --maxfail, or too many workers that crashed."""
    session: Any = config.pluginmanager.get_plugin("dsession")
    if session is None:
        return False
    left = getattr(getattr(session, "sched", None), "pending", ())
    return bool(getattr(session, "shouldstop", False)) or (session.shuttingdown and bool(left))
