"""From a replica's plan to its running process: directory, files, log, ports, environment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from envspec.agent.calls import Node
from envspec.agent.family import REPLICA_TAG, SESSION_TAG
from envspec.agent.holds import Holds
from envspec.agent.logs import Logs
from envspec.agent.processes import Birth, Command, fork
from envspec.agent.program import SpawnError
from envspec.agent.reaper import Exit
from envspec.agent.storage import write_text, writing
from envspec.errors import ServiceStartError
from envspec.plan.plan import ReplicaPlan


class Starter:
    """Makes what a replica needs on this node, and starts it."""

    def __init__(self, node: Node, logs: Logs, holds: Holds) -> None:
        self._session = node.session
        self._logs = logs
        self._holds = holds
        self._nothing = os.open(os.devnull, os.O_RDONLY)

    def make_directory(self, plan: ReplicaPlan) -> None:
        """Make the directory of a replica, in which the commands that ask how it is run as well.

        Raises:
            StateDirectoryError: it cannot be made.
        """
        with writing(plan.dir):
            Path(plan.dir).mkdir(parents=True, exist_ok=True)

    def fork(self, plan: ReplicaPlan) -> tuple[Birth, int]:
        """Begin to start a replica; return its process, and the offset in its log where this start begins.

        Raises:
            ServiceStartError: its command is not there.
            StateDirectoryError: its directory, a file or its log cannot be written.
        """
        log = self._logs.open(plan.name, plan.log)
        self.make_directory(plan)
        for name, text in plan.files.items():
            write_text(Path(plan.dir) / name, text)
        log.sample()
        log_start = log.size
        output = log.open_for_service()
        # As late as can be: from here until the server binds, anybody may take these ports.
        self._holds.release(plan.release)
        tagged = {**plan.env, SESSION_TAG: self._session, REPLICA_TAG: plan.name}
        try:
            with refusals(plan):
                return fork(Command(plan.argv, tagged, plan.cwd, self._nothing, output, output)), log_start
        finally:
            os.close(output)


@contextmanager
def refusals(plan: ReplicaPlan) -> Iterator[None]:
    """Let what keeps a replica's process from being started be told as that replica's (ServiceStartError)."""
    try:
        yield
    except SpawnError as error:
        raise ServiceStartError(f"{plan.name}: {error}", service=plan.name, hint=plan.hint) from error


def cut_off(plan: ReplicaPlan, how: Exit, *, ordered: bool) -> ServiceStartError:
    """Return the error for a process that ended before it executed its program: by an order, or by somebody else."""
    program = plan.argv[0]
    if ordered:
        return ServiceStartError(f"{plan.name} was stopped before it executed {program}", service=plan.name)
    ended = f"was ended by {how.signal}" if how.signal else f"exited with code {how.exit_code}"
    hint = "something ended it: a kill by name, or the out-of-memory killer (dmesg says so)"
    return ServiceStartError(f"{plan.name}: it {ended} before it executed {program}", service=plan.name, hint=hint)
