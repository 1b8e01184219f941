"""The fixtures that have to end before an environment goes: those that give it, and those that asked for it by name.

pytest ends with a fixture what declares it as an argument. Of what asked with `request.getfixturevalue` it keeps no
note, and would go on giving tests what has an environment that is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from envspec.pytest_plugin.wanted import Wanted

NAME = "environment"


class Fixtures:
    """Notes them as they are set up, and ends them; they are set up again when a test wants them."""

    def __init__(self) -> None:
        self._given: dict[Wanted, Callable[[], object]] = {}
        self._requests: dict[Any, Any] = {}

    def gave(self, wanted: Wanted, finish: Callable[[], object]) -> None:
        """Hear that a fixture gives an environment, and how it is ended with what declares it."""
        self._given[wanted] = finish

    def finish(self, wanted: Wanted) -> None:
        """End what has an environment, the last one first."""
        if (finish := self._given.pop(wanted, None)) is None:
            return
        while self._requests:
            fixturedef, request = self._requests.popitem()
            fixturedef.finish(request)
        finish()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, object, object]:
        """See whether a fixture asks for the environment, or for another that did."""
        if fixturedef.argname == NAME:
            return (yield)
        active = request._fixture_defs  # noqa: SLF001  what this test has by now, by name
        # Asked for again, a fixture is there again; what the test had before this one was set up does not tell.
        hidden = {name: active.pop(name) for name in list(active) if self._brings(name, active[name])}
        try:
            return (yield)
        finally:
            if any(self._brings(name, one) for name, one in active.items()):
                self._requests[fixturedef] = request
            for name, one in hidden.items():
                active.setdefault(name, one)

    def _brings(self, name: str, fixturedef: Any) -> bool:
        return name == NAME or fixturedef in self._requests
