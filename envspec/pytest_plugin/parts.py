"""The parts of the plugin that a run gets when, and only when, its tests want an environment.

Each is a plugin of its own with the hooks that it needs, made from the run's EnvironmentPool.
"""

from __future__ import annotations

from collections.abc import Callable

from envspec.pytest_plugin.bundling import Bundling
from envspec.pytest_plugin.evidence import Evidence
from envspec.pytest_plugin.fault_marker import FaultMarker
from envspec.pytest_plugin.hosting import Hosting
from envspec.pytest_plugin.lending import Lending
from envspec.pytest_plugin.pool import EnvironmentPool
from envspec.pytest_plugin.telling import Telling
from envspec.pytest_plugin.timing import Timing
from envspec.pytest_plugin.watching import Watching

Part = Callable[[EnvironmentPool], object]

WHERE_TESTS_RUN: dict[str, Part] = {
    "lending": Lending,
    "timing": Timing,
    "watching": Watching,
    "evidence": Evidence,
    "fault marker": FaultMarker,
}
"""In the one process, and in each worker of xdist."""

WHERE_PEOPLE_LOOK: dict[str, Part] = {
    "telling": Telling,
    "bundling": Bundling,
}
"""In the one process, and in the controller of xdist."""

IN_THE_CONTROLLER: dict[str, Part] = {
    "hosting": Hosting,
}
"""In the controller of xdist alone."""


def register(pool: EnvironmentPool) -> None:
    """Register the parts of this process. May be called again."""
    parts = {
        **(WHERE_PEOPLE_LOOK if pool.has_terminal else {}),
        **(WHERE_TESTS_RUN if pool.runs_tests else IN_THE_CONTROLLER),
    }
    for name, part in parts.items():
        if not pool.config.pluginmanager.has_plugin(f"envspec {name}"):
            pool.config.pluginmanager.register(part(pool), f"envspec {name}")
