"""The agent's other half: it waits, and ends whatever the agent leaves behind.

Guardian and agent own each other's fate: when the agent dies, its orphans come here, since we are a subreaper; when
the guardian dies, the kernel sends the agent SIGTERM. A single process of the two, killed, would leave daemonised
services to init (20 of 40 stayed in 3 of 3 trials).

Run as `python -I -S -c CODE OWNER` with the stream as descriptor 0 (envspec.agent.launch).
"""

from __future__ import annotations

import os
import select
import signal
import sys
from typing import NoReturn

from envspec.agent import linux, tree
from envspec.agent.agent import STREAM, run_agent
from envspec.agent.owner import watch_owner
from envspec.agent.scratch import Scratch
from envspec.agent.shared_memory import SharedMemory

AGENT_PATIENCE = 1.25
"""Seconds that the agent gets once the owner is gone: the second it gives its services, and a little. A stopped agent
would take for ever."""


def main() -> NoReturn:
    """Fork the agent, wait for it, end everything it left, exit with its status.

    The stream stays open here, too: its end, seen by the owner, means that nothing is left.
    """
    owner = int(sys.argv[1])
    if os.getsid(0) != os.getpid():
        os.setsid()
    linux.become_subreaper()
    owner_descriptor = watch_owner(owner)
    scratch = Scratch.choose()
    agent = os.fork()
    if agent == 0:
        _become_agent(owner_descriptor, scratch)
    _wait(agent, owner_descriptor)
    shared_memory = SharedMemory()
    shared_memory.look("", tree.descendants(os.getpid()))
    tree.end_descendants()
    shared_memory.remove_all()
    scratch.remove()
    sys.exit(0)


def _become_agent(owner_descriptor: int, scratch: Scratch) -> NoReturn:
    guardian = os.getppid()
    os.setsid()
    linux.become_subreaper()
    # The kernel's signal follows the thread that forked, which here is the only one. Seen from the owner, whose
    # threads come and go, neither of the two may be armed like this.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    linux.die_with_parent(signal.SIGTERM)
    if os.getppid() != guardian:
        os._exit(0)
    run_agent(owner_descriptor, scratch)
    sys.stderr.flush()
    os._exit(0)


def _wait(agent: int, owner_descriptor: int) -> None:
    """Return when the agent is dead, or has had its time after the owner's death or the end of the stream."""
    agent_descriptor = os.pidfd_open(agent)
    poll = select.poll()
    poll.register(agent_descriptor, select.POLLIN)
    poll.register(owner_descriptor, select.POLLIN)
    poll.register(STREAM, select.POLLRDHUP)  # not POLLIN: what comes is the agent's to read
    ready = [descriptor for descriptor, _ in poll.poll()]
    if agent_descriptor not in ready:
        poll.unregister(owner_descriptor)
        poll.unregister(STREAM)
        poll.poll(AGENT_PATIENCE * 1000)
