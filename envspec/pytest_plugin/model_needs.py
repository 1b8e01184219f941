"""Which models the tests of a run will use: what their markers say, and what their environments declare."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pytest

from envspec.pytest_plugin.markers import has_mark, wanted_of
from envspec.pytest_plugin.naming import Naming


class Need(NamedTuple):
    """A model of the hub, a path or a declared name; where `environment` is given, a model declared there."""

    model: str
    revision: str = ""
    environment: str = ""

    def __str__(self) -> str:
        return self.model + (f"@{self.revision}" if self.revision else "")


def is_skipped(item: pytest.Item) -> bool:
    """Tell whether a mark skips this test for certain; a condition that is text is for pytest to judge."""
    if "skip" in item.keywords and item.get_closest_marker("skip") is not None:
        return True
    return "skipif" in item.keywords and any(
        condition
        for marker in item.iter_markers("skipif")
        for condition in (*marker.args[:1], marker.kwargs.get("condition", False))
        if not isinstance(condition, str)
    )


def marked(item: pytest.Item) -> Iterable[Need]:
    """Yield what the markers `model` of a test, of its class and of its module name.

    Raises:
        pytest.UsageError: a marker is not written as one.
    """
    if not has_mark(item, "model"):  # cheaper than the markers of 5,000 tests
        return
    for marker in item.iter_markers("model"):
        if wrong := _wrong(marker):
            raise pytest.UsageError(f"{item.nodeid}: the marker model {wrong}")
        for name in marker.args:
            yield Need(name, marker.kwargs.get("revision", ""))


def _wrong(marker: pytest.Mark) -> str:
    """Return what is wrong with a marker, empty where it names models."""
    if unknown := [key for key in marker.kwargs if key != "revision"]:
        return f"takes names and revision=, not {unknown[0]}="
    if not marker.args:
        return "names no model: write @pytest.mark.model('org/name')"
    odd = next((value for value in (*marker.args, *marker.kwargs.values()) if not isinstance(value, str)), None)
    return "" if odd is None else f"takes texts, not {odd!r}"


def environment_of(item: pytest.Item, naming: Naming) -> list[str]:
    """Return the environments that a test runs in; none for one that uses none."""
    if wanted := wanted_of(item, naming):
        return [one.name for one in wanted]
    return [one.name for one in naming.chosen[:1]] if "environment" in getattr(item, "fixturenames", ()) else []
