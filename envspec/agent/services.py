"""Starting, signalling and stopping the replicas of a node, and noticing how they end."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from envspec.agent.calls import Call, Node
from envspec.agent.family import REPLICA_TAG, SESSION_TAG, Family
from envspec.agent.holds import Holds
from envspec.agent.logs import Logs
from envspec.agent.oom import oom_kills
from envspec.agent.processes import Command, SpawnError, spawn
from envspec.agent.readiness import Readiness
from envspec.agent.reaper import Exit, Reaper
from envspec.agent.record import Record
from envspec.agent.stopping import ORPHANS_GRACE, Outcome, Stopping
from envspec.agent.storage import write_text, writing
from envspec.agent.tree import send
from envspec.errors import BackendError, EnvspecError, ServiceStartError, StateDirectoryError
from envspec.plan.codec import from_json
from envspec.plan.plan import ReplicaPlan

STABLE_ROUNDS = 5
"""Rounds in which a tree is looked through while it is being paused: whoever forked meanwhile is met in the next."""
NOT_YET = Exit()


@dataclass(slots=True, eq=False)
class Running:
    """One start of a replica. `ordered` says that its end was asked for."""

    plan: ReplicaPlan
    start: int
    pid: int
    stopping: Stopping
    oom_kills: int | None
    ordered: bool = False
    ending: bool = False
    exit: Exit = NOT_YET


@dataclass(frozen=True, slots=True)
class Parts:
    """What starting and stopping works with."""

    reaper: Reaper
    family: Family
    holds: Holds
    logs: Logs
    record: Record
    readiness: Readiness


class Services:
    """All replicas of this node."""

    def __init__(self, node: Node, parts: Parts) -> None:
        self._node = node
        self._parts = parts
        self._running: dict[str, Running] = {}

    def start(self, call: Call) -> None:
        """Verb: make a replica's directory and files, start it, and follow it until it is healthy.

        A start that meets what is left of the one before waits until that is gone.
        """
        plan = from_json(ReplicaPlan, call["replica"])
        before = self._running.get(plan.name)
        if before is None:
            self._start(call, plan)
        elif before.ending:
            before.stopping.when_done(lambda _: self._start(call, plan))
        else:
            call.fail(BackendError(f"{plan.name} runs already (pid {before.pid})"))

    def stop(self, call: Call) -> None:
        """Verb: take a replica down; answers once nothing of its tree is left."""
        self._parts.readiness.end(call["replica"])
        running = self._running.get(call["replica"])
        if running is None:
            call.reply(killed=False, exit_code=None, signal=None, survivors=[])
            return
        running.ordered = running.ending = True

        def done(outcome: Outcome) -> None:
            how = {"exit_code": running.exit.exit_code, "signal": running.exit.signal}
            call.reply(killed=outcome.killed, survivors=list(outcome.survivors), **how)

        running.stopping.when_done(done)
        running.stopping.ask(signal_number(call["signal"]), float(call["timeout"]))

    def signal(self, call: Call) -> None:
        """Verb: send a signal to a replica's leader or to its whole tree."""
        running = self._running.get(call["replica"])
        if running is None:
            call.fail(BackendError(f"{call['replica']} does not run"))
            return
        number = signal_number(call["signal"])
        if call.get("scope", "leader") == "tree":
            self._signal_tree(call["replica"], number)
        elif self._parts.reaper.knows(running.pid):
            send(running.pid, number)
        call.reply()

    def _signal_tree(self, replica: str, number: int) -> None:
        met: set[int] = set()
        for _ in range(STABLE_ROUNDS):
            new = [pid for pid in self._parts.family.tree(replica) if pid not in met]
            for pid in new:
                send(pid, number)
            met.update(new)
            if not new:
                return

    def _start(self, call: Call, plan: ReplicaPlan) -> None:
        start = int(call["start"])
        try:
            pid, log_start = (None, 0) if plan.attached else self._spawn(plan, start)
        except EnvspecError as error:
            call.fail(error)
            return
        call.reply(pid=pid, at=time.monotonic())
        self._parts.readiness.begin(plan, start, log_start)

    def _spawn(self, plan: ReplicaPlan, start: int) -> tuple[int, int]:
        log = self._parts.logs.open(plan.name, plan.log)
        _prepare(plan)
        log.sample()
        log_start = log.size
        self._parts.holds.release(plan.release)
        pid = self._execute(plan, log.open_for_service())
        stopping = Stopping(self._node.loop, self._parts.reaper, self._parts.family, plan.name, pid)
        running = Running(plan, start, pid, stopping, oom_kills())
        self._running[plan.name] = running
        self._parts.family.add(plan.name, pid)
        self._parts.reaper.adopt(pid, lambda how: self._exited(running, how))
        stopping.when_done(lambda _: self._gone(running))
        try:
            self._parts.record.add(plan.name, pid)
        except StateDirectoryError:
            running.ordered = running.ending = True
            stopping.ask(signal.SIGKILL, 0.0)
            raise
        return pid, log_start

    def _execute(self, plan: ReplicaPlan, output: int) -> int:
        tagged = {**plan.env, SESSION_TAG: self._node.session, REPLICA_TAG: plan.name}
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            return spawn(Command(plan.argv, tagged, plan.cwd, nothing, output, output))
        except SpawnError as error:
            raise ServiceStartError(f"{plan.name}: {error}", service=plan.name, hint=plan.hint) from error
        finally:
            os.close(nothing)
            os.close(output)

    def _exited(self, running: Running, how: Exit) -> None:
        running.exit = how
        plan = running.plan
        self._parts.family.leader_reaped(plan.name)
        self._parts.readiness.end(plan.name)
        self._node.notify(
            "exited",
            replica=plan.name,
            start=running.start,
            pid=running.pid,
            exit_code=how.exit_code,
            signal=how.signal,
            stopping=running.ordered,
            oom=how.signal == "SIGKILL" and running.oom_kills is not None and (oom_kills() or 0) > running.oom_kills,
        )
        if running.ending:
            running.stopping.look()
        else:
            running.ending = True
            running.stopping.ask(signal.SIGTERM, min(plan.stop.timeout, ORPHANS_GRACE))

    def _gone(self, running: Running) -> None:
        self._parts.family.remove(running.plan.name)
        self._parts.record.remove(running.plan.name)
        del self._running[running.plan.name]


def signal_number(name: str) -> int:
    """Return 15 for "TERM" and "SIGTERM".

    Raises:
        KeyError: there is no such signal.
    """
    return signal.Signals[f"SIG{name.removeprefix('SIG')}"].value


def _prepare(plan: ReplicaPlan) -> None:
    directory = Path(plan.dir)
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
    for name, text in plan.files.items():
        write_text(directory / name, text)
