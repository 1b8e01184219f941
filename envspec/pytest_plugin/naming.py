"""Names of environments in a run: by name or by path, each environment is one.

A name or path of --env is looked up from where pytest was called, as on the command line, and where there is no such
environment from the root directory, as it stands in `addopts`; a marker's is from there, too.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path

import pytest

from envspec.errors import EnvspecError
from envspec.pytest_plugin.wanted import Wanted
from envspec.session.request import Request, assignments, environ_of_tests
from envspec.spec.find import SUFFIXES, files_to_check, find, name_of


class Naming:
    """Knows all environments that this run has named so far; those of --env from the beginning."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._root = config.rootpath
        self._nearer = dict(_found(config.getoption("--env"), config.invocation_params.dir, self._root))
        self._names: dict[Path, str] = {}
        self._first: dict[str, str] = {}
        self._all: dict[Wanted, Wanted] = {}
        self.chosen = [self.wanted(name) for name in dict.fromkeys(config.getoption("--env"))]

    def file(self, name: str) -> Path:
        """Return the file of an environment.

        Raises:
            UsageError: there is no such environment.
        """
        return self._nearer.get(name) or find(name, self._root)

    def request(self, name: str) -> Request:
        """Return how this run asks for an environment: with `--env-set`, as far as it is meant.

        A var that an environment of --env has is meant for those that have it; one that none has is a mistake.

        Raises:
            UsageError: there is no such environment.
        """
        file, sets = self.file(name), assignments("--env-set", self._config.getoption("--env-set"))
        if sets and self.chosen and self.chosen != [self.wanted(name)]:  # all are meant for one that is alone
            meant = frozenset().union(*(self._vars(wanted.name) for wanted in self.chosen))
            own = vars_in(file)
            sets = {var: value for var, value in sets.items() if var in own or var not in meant}
        return Request(file=file, sets=sets, environ=environ_of_tests())

    def _vars(self, name: str) -> frozenset[str]:
        try:
            return vars_in(self.file(name))
        except EnvspecError:  # the test that wants it will say so
            return frozenset()

    def wanted(self, name: str, instance: str = "") -> Wanted:
        """Return what stands for an environment: one and the same object, however it is named.

        (pytest takes the value of a fixture for the same one only if it is the same object.)
        """
        wanted = Wanted(self._first_name(name), instance)
        return self._all.setdefault(wanted, wanted)

    def _first_name(self, name: str) -> str:
        """Return by which name or path an environment was named first; looked up once, since each test asks."""
        if name not in self._first:
            self._first[name] = name
            with suppress(EnvspecError):  # the test that wants it will say so
                self._first[name] = self._names.setdefault(self.file(name).resolve(), name)
        return self._first[name]

    @cached_property
    def is_foreign(self) -> bool:
        """Whether this project has no environments, and none is asked for: a marker of that name is somebody else's."""
        with suppress(EnvspecError):  # pyproject.toml is wrong: the test that wants one will say so
            return not self.chosen and not files_to_check(self._root)
        return False

    def exists(self, wanted: Wanted) -> bool:
        """Tell whether there is a file of it."""
        return wanted.name in self._names.values()

    def describe(self, name: str) -> str:
        """Return one line for pytest's header: which environment, from which file."""
        file = self.file(name)
        short = os.path.relpath(file, self._root) if file.is_relative_to(self._root) else str(file)
        return f"{name_of(file)} ({short})"


@cache
def vars_in(file: Path) -> frozenset[str]:
    """Return the vars that an environment declares."""
    from envspec.spec.load import declared_vars  # pydantic, which no other test of a worker may need

    return declared_vars(file)


def _found(names: Iterable[str], start: Path, root: Path) -> Iterator[tuple[str, Path]]:
    """Yield those that are found from `start`, where that is not the root directory."""
    for name in names:
        path = Path(os.path.normpath(start / name))
        if ("/" in name or name.endswith(SUFFIXES)) and path.is_file():
            yield name, path
        elif start != root:
            with suppress(EnvspecError):  # then it is looked up from the root
                yield name, find(name, start)
