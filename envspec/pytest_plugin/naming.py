"""Names of environments in a run: by name or by path, each environment is one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from envspec.errors import EnvspecError
from envspec.pytest_plugin.text import one_line
from envspec.pytest_plugin.wanted import Wanted
from envspec.spec.find import find, name_of


class Naming:
    """Knows all environments that this run has named so far; those of --env from the beginning."""

    def __init__(self, config: pytest.Config) -> None:
        self._root = config.rootpath
        self._names: dict[Path, str] = {}
        self._first: dict[str, str] = {}
        self._all: dict[Wanted, Wanted] = {}
        self.chosen = [self.wanted(name) for name in dict.fromkeys(config.getoption("--env"))]

    def file(self, name: str) -> Path:
        """Return the file of an environment.

        Raises:
            UsageError: there is no such environment.
        """
        return find(name, self._root)

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

    def exists(self, wanted: Wanted) -> bool:
        """Tell whether there is a file of it."""
        return wanted.name in self._names.values()

    def describe(self, name: str) -> str:
        """Return one line for pytest's header: which environment, from which file."""
        try:
            file = self.file(name)
        except EnvspecError as error:
            hint = f"\nhint: {error.hint}" if error.hint else ""
            raise pytest.UsageError(f"{one_line(error)}{hint}") from error
        short = os.path.relpath(file, self._root) if file.is_relative_to(self._root) else str(file)
        return f"{name_of(file)} ({short})"
