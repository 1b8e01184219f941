"""Who descends from whom, and how to end all of them.

The kernel lists children by the thread that has them (`/proc/PID/task/TID/children`), so both the guardian and the
agent, subreapers, see every process that came of them, daemonised or not.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from envspec.agent.identity import start_time

KILL_PATIENCE = 5.0
"""Seconds to go on killing. Only a process in uninterruptible sleep outlives its SIGKILL, and then for long."""
PAUSE = 0.002
"""Seconds between two rounds of killing: a killed process needs a moment to be reapable."""


def children(pid: int) -> list[int]:
    """Return the children of all threads of `pid`; none when it is gone."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208  half the time of pathlib, in the kill loop
    except OSError:
        return found
    for thread in threads:
        try:
            found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
        except OSError:
            continue  # that thread has ended
    return found


def descendants(pid: int) -> list[int]:
    """Return everything that came of `pid`, parents before their children."""
    found = children(pid)
    for child in found:
        found += children(child)
    return found


def own_processes() -> list[int]:
    """Return all processes of our user."""
    user = os.getuid()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and entry.stat().st_uid == user:
                found.append(int(entry.name))
        except OSError:
            continue  # it has ended meanwhile
    return found


def send(pid: int, number: int) -> bool:
    """Send a signal to one process; False when it is gone or not ours to signal."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def send_group(leader: int, number: int) -> bool:
    """Send a signal to a leader's process group; False when there is nobody in it."""
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def command_of(pid: int) -> str:
    """Return a process's command line for people, at most 200 characters; its name where it has none."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        return line[:200] or Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return "?"


def end_descendants() -> list[int]:
    """Kill and reap everything that descends from us, until the kernel says that we have no child.

    Blocks for at most KILL_PATIENCE seconds. Returns the survivors, in practice none. Never stops processes first:
    that took 20 s and filled the pid table where a fork bomb was at work.
    """
    deadline = time.monotonic() + KILL_PATIENCE
    # Blocked, so that the wait below returns at the next death instead of after the whole pause.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGCHLD,))
    while time.monotonic() < deadline:
        for pid in descendants(os.getpid()):
            send(pid, signal.SIGKILL)
        if not _reap_all():
            return []
        signal.sigtimedwait((signal.SIGCHLD,), PAUSE)
    return descendants(os.getpid())


def kill_tree(root: int) -> None:
    """Kill everything that came of a subreaper which does not do so itself any more, and the subreaper last.

    Until then, whoever loses a parent becomes its child, where it is found. Blocks for at most KILL_PATIENCE seconds.
    """
    kill_in_rounds(lambda: list(filter(start_time, descendants(root))))
    send(root, signal.SIGKILL)


def kill_in_rounds(left: Callable[[], list[int]], rounds: int = sys.maxsize) -> None:
    """Kill whom `left` tells until it tells nobody any more, since a process may fork while it is being killed.

    Blocks for at most KILL_PATIENCE seconds, and `rounds` rounds.
    """
    deadline = time.monotonic() + KILL_PATIENCE
    for _ in range(rounds):
        found = left()
        if not found or time.monotonic() >= deadline:
            return
        for pid in found:
            send(pid, signal.SIGKILL)
        time.sleep(PAUSE)


def _reap_all() -> bool:
    """Reap whoever is dead; return whether anybody is left."""
    try:
        while os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG):
            pass
    except ChildProcessError:
        return False
    return True
