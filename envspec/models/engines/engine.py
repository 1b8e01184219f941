"""What an engine is: a library that loads a model's files and answers prompts, with what it takes to get rid of it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from envspec.errors import RequirementError
from envspec.record import Record


class Need(Record):
    """Bytes that an engine will want: of this machine's memory, and of the first GPU that the process sees."""

    ram: int = 0
    gpu: int = 0


class Engine(Protocol):
    """One library. What it imports, it imports in its methods: loading envspec must not load torch."""

    @property
    def modules(self) -> tuple[str, ...]:
        """What must be importable."""

    @property
    def install(self) -> str:
        """The command that makes it so."""

    @property
    def signs_of_exhaustion(self) -> tuple[str, ...]:
        """Texts of its errors that mean or may mean that memory ran out, beside those that everybody uses."""

    def prepare(self) -> None:
        """Import the library, so that what it takes itself is not taken for the model's."""

    def needs(self, path: Path, options: Mapping[str, Any]) -> Need:
        """Estimate what `load` will want. Called after `prepare`."""

    def load(self, path: Path, options: Mapping[str, Any]) -> Any:
        """Return the library's own object, with the model at `path` loaded; raises whatever the library does."""

    def release(self, engine: Any) -> None:
        """Shut down what does not end by being forgotten: processes, process groups."""


def check_installed(name: str, engine: Engine) -> None:
    """Return when all modules are there.

    Raises:
        RequirementError: one is not; the hint has the command.
    """
    missing = [module for module in engine.modules if find_spec(module) is None]
    if missing:
        message = f"the backend {name} cannot load models here: {' and '.join(missing)} missing"
        raise RequirementError(message, missing=missing, hint=engine.install)
