"""Who ends what this process's engines started, should it be killed: nobody, unless the floors above say who."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Heir(Protocol):
    """Somebody beside this process, as long as an engine is loaded."""

    def loading(self) -> AbstractContextManager[None]:
        """Leave to the heir what is started within the block."""

    def dismiss(self) -> None:
        """Let it go: no engine is loaded."""


class NoHeir:
    """What is left stays."""

    def loading(self) -> AbstractContextManager[None]:
        """Tell nobody."""
        return nullcontext()

    def dismiss(self) -> None:
        """There is nobody."""
