"""What came of a replica's own process, so that one of its descendants can be signalled alone."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from envspec.agent.calls import Call, Node
from envspec.agent.family import Family
from envspec.agent.identity import stat_fields
from envspec.agent.services import signal_number
from envspec.agent.tree import KILL_PATIENCE
from envspec.errors import BackendError

LONGEST_COMMAND = 4096
"""Characters of a command line that are looked through: a name stands in its begin, and JSON may follow."""
ENDED: tuple[list[str], ...] = (["Z"], ["X"], [])
"""States of what needs no signal any more (proc(5), /proc/PID/stat)."""


class Children:
    """The descendants of all replicas of this node, and the verbs that are about one of them."""

    def __init__(self, node: Node, family: Family) -> None:
        self._node = node
        self._family = family

    def children(self, call: Call) -> None:
        """Verb: the living descendants of a replica's `leader`, wherever they daemonised to."""
        pids = [pid for pid in self._family.tree(call["replica"]) if pid != call["leader"]]
        living = [pid for pid in pids if stat_fields(pid)[:1] not in ENDED]
        call.reply(children=[{"pid": pid, "name": _name(pid), "command": _command(pid)} for pid in living])

    def signal_child(self, call: Call) -> None:
        """Verb: send a signal to one descendant; of SIGKILL, answers once that has ended it."""
        replica, pid, number = call["replica"], int(call["pid"]), signal_number(call["signal"])
        tree = self._family.tree(replica)
        if pid not in tree:
            raise BackendError(f"{replica} has no process {pid} any more")
        if number == signal.SIGKILL:
            self._node.shared_memory.look(replica, tree)
        descriptor = os.pidfd_open(pid)
        signal.pidfd_send_signal(descriptor, number)
        if number == signal.SIGKILL:
            self._answer_when_ended(call, descriptor)
        else:
            os.close(descriptor)
            call.reply()

    def _answer_when_ended(self, call: Call, descriptor: int) -> None:
        def ended() -> None:
            self._node.loop.forget(descriptor)
            os.close(descriptor)
            call.reply()

        self._node.loop.watch(descriptor, ended)
        # One in uninterruptible sleep has its signal, and ends when that does.
        self._node.loop.after(KILL_PATIENCE, call.reply)


def _name(pid: int) -> str:
    return _read(pid, "comm").strip()


def _command(pid: int) -> str:
    """Return what a process shows as its command line: its title, where it has given itself one."""
    return _read(pid, "cmdline").replace("\0", " ").strip()[:LONGEST_COMMAND]


def _read(pid: int, what: str) -> str:
    try:
        return Path(f"/proc/{pid}/{what}").read_text(errors="replace")
    except OSError:
        return ""
