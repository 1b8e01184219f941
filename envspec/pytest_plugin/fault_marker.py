"""Faults that a test's marker writes: `environment("local", faults=[{"after": "2s", "kill": "worker.1"}])`.

They begin with the test's own function, behind its fixtures, and end with it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

from envspec.errors import EnvspecError
from envspec.plan.fault import Fault
from envspec.pytest_plugin.markers import has_mark
from envspec.pytest_plugin.pool import EnvironmentPool
from envspec.pytest_plugin.wanted import Wanted
from envspec.session.live import Environment, Handle

if TYPE_CHECKING:
    from envspec.session.fault_run import FaultOutcome


class FaultMarker:
    """Carries out the faults of the test that runs, in whatever environment it has."""

    def __init__(self, pool: EnvironmentPool) -> None:
        self._pool = pool
        self._handles: dict[Wanted, Handle] = {}
        pool.on_lend(self._lent)
        pool.on_return(self._returned)

    def _lent(self, wanted: Wanted, handle: Handle, _environment: Environment) -> None:
        self._handles[wanted] = handle

    def _returned(self, wanted: Wanted) -> None:
        self._handles.pop(wanted, None)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Let the faults of the marker happen while the test runs; it fails where one of them could not be done."""
        marker = item.get_closest_marker("environment") if has_mark(item, "environment") else None
        written = marker.kwargs.get("faults") if marker is not None else None
        if not written:
            return (yield)
        from envspec.session.fault_run import FaultRun  # asyncio, which no other test of a worker may need

        runs = [FaultRun(handle, _faults(item, written, handle)) for handle in self._handles_of(item)]
        try:
            result = yield
        except BaseException as error:
            for sentence in _told(run.end() for run in runs):
                error.add_note(sentence)
            raise
        if sentences := list(_told(run.end() for run in runs)):
            pytest.fail("\n".join(sentences), pytrace=False)
        return result

    def _handles_of(self, item: pytest.Item) -> list[Handle]:
        return [self._handles[wanted] for wanted in self._pool.wanted_by(item) if wanted in self._handles]


def _faults(item: pytest.Item, written: object, handle: Handle) -> list[Fault]:
    """Read a marker's faults; a test whose marker is wrong fails, with all that is wrong."""
    from envspec.session.fault_run import replicas_of
    from envspec.spec.marker_faults import marker_faults  # pydantic, likewise

    try:
        return marker_faults(written, replicas_of(handle.status()))
    except EnvspecError as error:
        wrong = str(error)
    # Behind the except: within it, pytest would show the error once more.
    pytest.fail(f"{item.nodeid}: the marker environment has wrong faults:\n{wrong}", pytrace=False)


def _told(outcomes: Iterator[FaultOutcome]) -> Iterator[str]:
    for outcome in outcomes:
        for fault, error in outcome.refused:
            yield f"the marker's {fault.where} ({fault.order}) could not be done: {error}"
        for fault in outcome.missed:
            yield f"the test ended before the marker's {fault.where} ({fault.order}) was due"
