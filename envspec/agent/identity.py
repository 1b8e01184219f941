"""Which process a number means: pids are recycled, and count only within one boot and one pid namespace."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def boot_id() -> str:
    """Return the kernel's random name for this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@cache
def pid_namespace() -> int:
    """Return the inode of our pid namespace; a container has another than its host."""
    return Path("/proc/self/ns/pid").stat().st_ino


def stat_fields(pid: int, thread: int = 0) -> list[str]:
    """Return the fields of `/proc/PID/stat` from the third on (state, ppid, pgrp, session, …), empty when it is gone.

    With a `thread`, those of that thread of the process. The second, the name, may itself hold spaces and brackets, so
    reading begins behind its last one.
    """
    try:
        text = Path(f"/proc/{pid}/{f'task/{thread}/' if thread else ''}stat").read_text(errors="replace")
    except OSError:
        return []
    return text[text.rindex(")") + 2 :].split()


def start_time(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None when it is gone or a zombie."""
    fields = stat_fields(pid)
    return int(fields[19]) if fields and fields[0] not in "ZX" else None


def is_alive(pid: int, started: int) -> bool:
    """Return whether `pid` still is the process that started then."""
    return start_time(pid) == started
