"""Faults that a test's marker writes: `environment("local", faults=[{"after": "2s", "kill": "worker.1"}])`.

They begin with the test's own function, behind its fixtures, and end with it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
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

Services = Mapping[str, tuple[str, ...]]
"""The replicas of each service."""


class FaultMarker:
    """Carries out the faults of the test that runs, in whatever environment it has."""

    def __init__(self, pool: EnvironmentPool) -> None:
        self._pool = pool
        self._handles: dict[Wanted, Handle] = {}
        self._declared: dict[Wanted, Services | None] = {}
        pool.on_lend(self._lent)
        pool.on_return(self._returned)

    def _lent(self, wanted: Wanted, handle: Handle, _environment: Environment) -> None:
        self._handles[wanted] = handle

    def _returned(self, wanted: Wanted) -> None:
        self._handles.pop(wanted, None)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Fail a test whose marker names what its environment does not have, before it waits for that.

        It comes before other parts of the plugin, which are registered sooner, and behind pytest's marks that skip.
        """
        if written := _written(item):
            for wanted in self._pool.wanted_by(item):
                if (services := self._services(wanted)) is not None:
                    _faults(item, written, services)

    def _services(self, wanted: Wanted) -> Services | None:
        """Return the replicas of each service, from the file where there is nothing else yet; None where it is wrong.

        That its start will say.
        """
        if wanted not in self._declared:
            from envspec.spec.load import load  # pydantic, which no other test of a worker may need

            try:
                request = self._pool.naming.request(wanted.name)
                environment = load(request.file, sets=request.sets, environ=request.environ)
            except EnvspecError:
                self._declared[wanted] = None
            else:
                services = environment.services.items()
                self._declared[wanted] = {name: service.replica_names() for name, service in services}
        return self._declared[wanted]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Let the faults of the marker happen while the test runs; it fails where one of them could not be done."""
        if not (written := _written(item)):
            return (yield)
        from envspec.session.fault_run import FaultRun, replicas_of  # asyncio, likewise

        handles = self._handles_of(item)
        runs = [FaultRun(handle, _faults(item, written, replicas_of(handle.status()))) for handle in handles]
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


def _written(item: pytest.Item) -> object:
    """Return what a test's marker has as `faults`, if anything."""
    marker = item.get_closest_marker("environment") if has_mark(item, "environment") else None
    return marker.kwargs.get("faults") if marker is not None else None


def _faults(item: pytest.Item, written: object, services: Services) -> list[Fault]:
    """Read a marker's faults; a test whose marker is wrong fails, with all that is wrong."""
    from envspec.spec.marker_faults import marker_faults  # pydantic, likewise

    try:
        return marker_faults(written, services)
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
