"""Whether the kernel killed for want of memory: said only where a cgroup counted it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from envspec.agent.loop import Loop

MOUNT = Path("/sys/fs/cgroup")
PERIOD = 1.0
"""Seconds between two looks at the count. A death is compared with the look before the last, so with the count of one
to two seconds ago: older kills, of whomever, are no evidence."""


class OomKills(NamedTuple):
    """How many processes of a cgroup the kernel has killed for want of memory, and the file that says so."""

    file: Path
    kills: int


class OomWatch:
    """Looks at the count as long as something runs, so that what a death is compared with is young."""

    def __init__(self, loop: Loop, look: Callable[[], OomKills | None] | None = None) -> None:
        self._loop = loop
        self._look = look or oom_kills
        self._before: OomKills | None = None
        self._last: OomKills | None = None
        self._watching = False

    def watch(self, needed: Callable[[], bool]) -> None:
        """Look now and every PERIOD, until a look finds that it is not needed any more."""
        if not self._watching:
            self._watching = True
            self._before = self._last = self._look()
            self._again(needed)

    def evidence(self) -> str:
        """Return what speaks for memory having run out just now, in words; empty where nothing does."""
        return evidence(self._before, self._look())

    def _again(self, needed: Callable[[], bool]) -> None:
        def look() -> None:
            self._watching = needed()
            if self._watching:
                self._before, self._last = self._last, self._look()
                self._again(needed)

        self._loop.after(PERIOD, look)


def evidence(before: OomKills | None, now: OomKills | None) -> str:
    """Return what speaks for memory having run out in between, in words; empty where nothing does."""
    if before is None or now is None or now.file != before.file or now.kills <= before.kills:
        return ""
    return f"oom_kill in {now.file} rose from {before.kills} to {now.kills}"


def oom_kills() -> OomKills | None:
    """Return how often that has happened in our own cgroup; None where nobody counts.

    Services share the agent's cgroup, so a count that has grown when one died of SIGKILL is evidence.
    """
    for file in _counters():
        try:
            counts = dict(line.split() for line in file.read_text().splitlines())
            return OomKills(file, int(counts["oom_kill"]))
        except (OSError, KeyError, ValueError):
            continue
    return None


def _counters() -> list[Path]:
    """Return the files that may hold the count: of cgroup v2, of v1, and of v2 beside v1."""
    try:
        groups = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return []
    found = []
    for _, controllers, path in groups:
        name = path.lstrip("/")
        if not controllers:
            found += [MOUNT / name / "memory.events", MOUNT / "unified" / name / "memory.events"]
        elif "memory" in controllers.split(","):
            found.append(MOUNT / "memory" / name / "memory.oom_control")
    return found
