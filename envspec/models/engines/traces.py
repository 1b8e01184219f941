"""What engines leave behind: processes, process groups, memory."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from envspec.models.engines.memory import give_back, used_gpu, used_ram

if TYPE_CHECKING:
    import psutil

TOLERANCE = 512 * 2**20
"""Bytes that may stay: libraries import the rest of themselves at the first load, and allocators keep arenas."""
PATIENCE = 10.0
"""Seconds for the processes of an engine to end after it was shut down."""
RESOURCE_TRACKER = "multiprocessing.resource_tracker"
"""A helper of Python's that the first spawned process brings, and that stays as long as its parent."""


class Baseline:
    """This process as it was before an engine was loaded; what the libraries take by themselves is added."""

    def __init__(self) -> None:
        self._had_groups = _has_groups()
        self._gpu = used_gpu()
        self._ram = used_ram()

    @contextmanager
    def importing(self) -> Iterator[None]:
        """Count what is taken meanwhile as a library's."""
        before = used_ram()
        yield
        self._ram += max(0, used_ram() - before)

    def remaining(self) -> Iterator[str]:
        """Clean up what belongs to no engine in particular, and tell what stayed all the same."""
        if _has_groups() and not self._had_groups:
            sys.modules["torch"].distributed.destroy_process_group()
        give_back()
        for kind, more in (("memory", used_ram() - self._ram), ("GPU memory", used_gpu() - self._gpu)):
            if more > TOLERANCE:
                yield f"{more / 2**20:.0f} MiB of {kind} did not come back: something still refers to an engine"


def _has_groups() -> bool:
    torch = sys.modules.get("torch")
    if torch is None or not torch.distributed.is_available():
        return False
    return bool(torch.distributed.is_initialized())


def descendants() -> set[psutil.Process]:
    """Return the processes that this one started, and theirs."""
    import psutil

    return set(psutil.Process().children(recursive=True))


def survivors(processes: Iterable[psutil.Process]) -> list[str]:
    """Return the command lines of those that have not ended a while after they should have."""
    import psutil

    _, alive = psutil.wait_procs([process for process in processes if not _is_tracker(process)], timeout=PATIENCE)
    return [f"process {process.pid} ({_command(process)})" for process in alive]


def _is_tracker(process: psutil.Process) -> bool:
    return RESOURCE_TRACKER in _command(process)


def _command(process: psutil.Process) -> str:
    import psutil

    try:
        return " ".join(process.cmdline())[:120] or process.name()
    except psutil.Error:
        return "ended meanwhile"
