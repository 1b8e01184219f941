"""What the plugin does where xdist runs the tests, in its controller. Imports nothing of envspec until it must.

The controller collects nothing. Of environments that only markers name it hears from the workers.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from envspec.pytest_plugin.keys import MEETING, POOL, is_ordered
from envspec.pytest_plugin.terminal import can_rewrite, is_told

if TYPE_CHECKING:
    from envspec.pytest_plugin.wanted import Groups


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start the environments of --env beside xdist's workers."""
    if session.config.getoption("--env") and MEETING in session.config.stash:
        _host(session.config)
    elif any(map(session.config.getoption, ("--env-report", "--env-timeline"))):  # of what workers have, too
        from envspec.pytest_plugin.parts import register
        from envspec.pytest_plugin.pool import pool_of

        register(pool_of(session.config))


def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker where the controller's environments are; one on another host has its own.

    Those here write themselves what their starts wait for, where that smears no terminal.
    """
    meeting = node.config.stash.get(MEETING, "") if node.gateway.spec.popen else ""
    tells = node.gateway.spec.popen and is_told(node.config) and not can_rewrite(1)
    node.workerinput["envspec"] = {"meeting": meeting, "ordered": is_ordered(node.config), "tells": bool(tells)}


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Spread the tests of each environment over all workers, where the user does not say how to."""
    if not is_ordered(config):
        return None
    from envspec.pytest_plugin.scheduler import EnvironmentScheduling

    return EnvironmentScheduling(config, log)


def pytest_xdist_node_collection_finished(node: Any) -> None:
    """Hear from an xdist worker which of its tests want an environment."""
    directory = node.config.stash.get(MEETING, "")
    if directory and (POOL in node.config.stash or os.path.isdir(directory)):  # noqa: PTH112  no import for the others
        from envspec.pytest_plugin.meeting import word_of

        _host(node.config, word_of(directory, node.gateway.id))


def _host(config: pytest.Config, groups: Groups | None = None) -> None:
    from envspec.pytest_plugin.parts import register
    from envspec.pytest_plugin.pool import pool_of

    register(pool_of(config))
    pool_of(config).host(groups)


def pytest_testnodedown(node: Any, error: object) -> None:  # noqa: ARG001  the hook's signature
    """Take over what an xdist worker has to say about its environments: only the controller has a terminal."""
    if told := getattr(node, "workeroutput", {}).get("envspec"):
        from envspec.pytest_plugin.last_words import words_of

        words_of(node.config).heard(node.gateway.id, told)
