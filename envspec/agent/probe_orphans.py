"""What a dead prober leaves: commands and children of callbacks that it was asking, which come home to the agent."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from envspec.agent import tree
from envspec.agent.identity import stat_fields

TAG = "ENVSPEC_PROBE"
"""Stands in the environment of a command: the pid of the prober that runs it, and a number. By it is found what has
daemonised, and what has lost its prober."""


def end_orphans(prober: int) -> None:
    """End what a prober that is dead had begun: its successor begins anew, and a check must not meet itself."""
    for pid in tree.children(os.getpid()):
        if stat_fields(pid)[3:4] == [str(prober)] or _is_tagged(pid, f"{TAG}={prober}-".encode()):
            for each in (pid, *tree.descendants(pid)):
                tree.send(each, signal.SIGKILL)


def _is_tagged(pid: int, tag: bytes) -> bool:
    try:
        return any(entry.startswith(tag) for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
    except OSError:
        return False
