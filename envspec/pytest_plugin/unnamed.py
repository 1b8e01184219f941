"""Which environment a test is meant for that asks for one where pytest gives the fixture no parameter.

That is so in a unittest.TestCase, and where `request.getfixturevalue` asks. pytest would give such a test what the one
before it got, since the fixture is session-scoped and its key the same.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from envspec.pytest_plugin.markers import bare_of, has_mark, names_of
from envspec.pytest_plugin.naming import Naming
from envspec.pytest_plugin.wanted import Wanted

NONE_NAMED = (
    "this test asks for an environment, and none was named\n"
    "hint: run pytest with --env=NAME, or mark the test: @pytest.mark.environment('NAME')"
)


class Unnamed:
    """Looks at the marker of the test that runs, and lets the fixture be made anew for one that means another."""

    def __init__(self, config: pytest.Config, naming: Naming) -> None:
        self._config = config
        self._naming = naming
        self._item: pytest.Item | None = None
        self._given: Wanted | None = None
        self._finish: Callable[[], object] | None = None

    def enter(self, item: pytest.Item) -> None:
        """Hear which test runs now; what the fixture gave another one, it is not given."""
        self._item = item
        differs = has_mark(item, "environment") and bare_of(item, self._naming) != (self._given,)
        if self._finish is not None and (differs or self._given is None):
            finish, self._finish = self._finish, None
            finish()

    def take(self, finish: Callable[[], object]) -> Wanted:
        """Return what the test that runs is meant for, or fail it; `finish` ends the fixture."""
        self._finish, self._given = finish, None
        marked = self._item is not None and has_mark(self._item, "environment")
        found = bare_of(self._item, self._naming) if marked and self._item else tuple(self._naming.chosen)
        if len(found) != 1:
            pytest.fail(self._several(found, marked=marked) if found else NONE_NAMED, pytrace=False)
        (self._given,) = found
        return found[0]

    def _several(self, found: tuple[Wanted, ...], *, marked: bool) -> str:
        names = ", ".join(wanted.name for wanted in found)
        by_marker = marked and self._item is not None and names_of(self._item, self._config) and _has_names(self._item)
        return (
            f"this test is meant for several environments ({names}), and asks for one where pytest cannot run it once "
            "in each: in a unittest.TestCase, or by request.getfixturevalue\n"
            + (
                "hint: name one in its marker"
                if by_marker
                else "hint: give one --env, or mark it: @pytest.mark.environment('NAME')"
            )
            + ", or let a test function take the fixture environment as an argument"
        )


def _has_names(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("environment")
    return marker is not None and bool(marker.args)
