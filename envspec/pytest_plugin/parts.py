"""The parts of the plugin that a run gets when, and only when, its tests want an environment.

Each is a plugin of its own with the hooks that it needs, made from the run's EnvironmentPool. The tables say which
class of which module; it is imported where it is used, since each worker of xdist pays for what it imports.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envspec.pytest_plugin.pool import EnvironmentPool

WHERE_TESTS_RUN: dict[str, str] = {
    "lending": "Lending",
    "timing": "Timing",
    "watching": "Watching",
    "unstarted": "Unstarted",
    "evidence": "Evidence",
    "fault_marker": "FaultMarker",
}
"""In the one process, and in each worker of xdist."""

WHERE_PEOPLE_LOOK: dict[str, str] = {
    "causes": "Causes",
    "bundling": "Bundling",
}
"""In the one process, and in the controller of xdist."""

WHERE_IT_IS_KNOWN: dict[str, str] = {
    "telling": "Telling",
}
"""In these two, and in a worker of xdist that has environments of its own."""

IN_THE_CONTROLLER: dict[str, str] = {
    "hosting": "Hosting",
}
"""In the controller of xdist alone."""


def register(pool: EnvironmentPool) -> None:
    """Register the parts of this process. May be called again."""
    parts = {
        **(WHERE_IT_IS_KNOWN if pool.has_terminal or pool.owns else {}),
        **(WHERE_PEOPLE_LOOK if pool.has_terminal else {}),
        **(WHERE_TESTS_RUN if pool.runs_tests else IN_THE_CONTROLLER),
    }
    if pool.runs_tests and not pool.config.pluginmanager.is_registered(pool.fixtures):
        pool.config.pluginmanager.register(pool.fixtures, "envspec fixtures")
    for module, part in parts.items():
        name = f"envspec {module.replace('_', ' ')}"
        if not pool.config.pluginmanager.has_plugin(name):
            made = getattr(import_module(f"envspec.pytest_plugin.{module}"), part)(pool)
            pool.config.pluginmanager.register(made, name)
