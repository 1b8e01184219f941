"""The parts of the plugin that a run gets when, and only when, its tests want an environment.

Each is a plugin of its own with the hooks that it needs, made from the run's EnvironmentPool.
"""

from __future__ import annotations

from collections.abc import Callable

from envspec.pytest_plugin.lending import Lending
from envspec.pytest_plugin.pool import EnvironmentPool

Part = Callable[[EnvironmentPool], object]

WHERE_TESTS_RUN: dict[str, Part] = {
    "lending": Lending,
}
"""In the one process, and in each worker of xdist."""

WHERE_PEOPLE_LOOK: dict[str, Part] = {}
"""In the one process, and in the controller of xdist."""


def register(pool: EnvironmentPool) -> None:
    """Register the parts of this process. May be called again."""
    parts = {**(WHERE_PEOPLE_LOOK if pool.has_terminal else {}), **(WHERE_TESTS_RUN if pool.runs_tests else {})}
    for name, part in parts.items():
        if not pool.config.pluginmanager.has_plugin(f"envspec {name}"):
            pool.config.pluginmanager.register(part(pool), f"envspec {name}")
