"""What a dead prober leaves: commands and children of callbacks that it was asking, which come home to the agent."""

from __future__ import annotations

import os
import signal

from envspec.agent import tree
from envspec.agent.family import PROBE_TAG, tags
from envspec.agent.identity import stat_fields


def end_orphans(prober: int) -> None:
    """End what a prober that is dead had begun: its successor begins anew, and a check must not meet itself."""
    for pid in tree.children(os.getpid()):
        if stat_fields(pid)[3:4] == [str(prober)] or tags(pid).get(PROBE_TAG, "").startswith(f"{prober}-"):
            for each in (pid, *tree.descendants(pid)):
                tree.send(each, signal.SIGKILL)
