"""Under which keys pytest's config and reports keep what is the plugin's. Imports nothing of envspec."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from envspec.pytest_plugin.last_words import LastWords
    from envspec.pytest_plugin.models import ModelPool
    from envspec.pytest_plugin.pool import EnvironmentPool

POOL: pytest.StashKey[EnvironmentPool] = pytest.StashKey()
MODELS: pytest.StashKey[ModelPool] = pytest.StashKey()
WORDS: pytest.StashKey[LastWords] = pytest.StashKey()
RUN: pytest.StashKey[str] = pytest.StashKey()
MEETING: pytest.StashKey[str] = pytest.StashKey()
CHOSEN: pytest.StashKey[bool] = pytest.StashKey()
TAKEN: pytest.StashKey[list[str]] = pytest.StashKey()
WANTED = "envspec_wanted"
"""Under which a report says what its test wanted; xdist carries it over, since it is plain data."""
REFUSED = "envspec_refused"
"""Under which the report of a test says which environment did not start, and why."""


def is_shared(config: pytest.Config) -> bool:
    """Tell whether xdist's workers share environments: with --dist=each, each is a run of its own."""
    return config.getoption("dist") != "each" and not config.getoption("--env-per-worker")


def is_ordered(config: pytest.Config) -> bool:
    """Tell whether tests are put in groups: neither --env-order nor a --dist says otherwise."""
    told = getattr(config, "workerinput", {}).get("envspec")
    return told["ordered"] if told else config.getoption("--env-order") == "group" and not config.stash[CHOSEN]


def telling_worker(config: pytest.Config) -> str:
    """Return which worker of xdist this process is, if it is one that writes what its starts wait for."""
    told = getattr(config, "workerinput", {})
    return str(told["workerid"]) if told and told["envspec"]["tells"] else ""
