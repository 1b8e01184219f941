"""Starting, signalling and stopping the replicas of a node, and noticing how they end."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass

from envspec.agent.calls import Call, Node, serve
from envspec.agent.family import Family
from envspec.agent.oom import OomWatch
from envspec.agent.pausing import when_still
from envspec.agent.processes import Birth
from envspec.agent.readiness import Readiness
from envspec.agent.reaper import Exit
from envspec.agent.record import Record
from envspec.agent.starting import Starter, cut_off, refusals
from envspec.agent.stopping import ORPHANS_GRACE, Outcome, Stopping
from envspec.agent.traces import Home
from envspec.agent.tree import send
from envspec.errors import BackendError, ServiceStartError, StateDirectoryError
from envspec.plan.codec import from_json
from envspec.plan.plan import ReplicaPlan

STABLE_ROUNDS = 5
"""Rounds in which a tree is looked through while it is being paused: whoever forked meanwhile is met in the next."""
NOT_YET = Exit()


@dataclass(eq=False)
class Running:
    """One start of a replica.

    `call` asked for it and is still to be answered, which happens when the program is executed; `cut_off` is that call
    where something ended the process before, which its exit tells. `failed` says that the program could not be
    executed, or was not. `log_start` is the offset in its log where this start begins. `ordered` says that its end was
    asked for.
    """

    plan: ReplicaPlan
    start: int
    birth: Birth
    log_start: int
    stopping: Stopping
    call: Call | None
    cut_off: Call | None = None
    failed: bool = False
    ordered: bool = False
    ending: bool = False
    exit: Exit = NOT_YET

    @property
    def pid(self) -> int:
        """The leader's pid."""
        return self.birth.pid


class Services:
    """All replicas of this node."""

    def __init__(self, node: Node, family: Family, record: Record, starter: Starter, readiness: Readiness) -> None:
        self._node = node
        self._family = family
        self._record = record
        self._starter = starter
        self._readiness = readiness
        self._running: dict[str, Running] = {}
        self._postponed: dict[str, Call] = {}
        self._oom = OomWatch(node.loop)

    def start(self, call: Call) -> None:
        """Verb: make a replica's directory and files, start it, and follow it until it is healthy.

        A start that meets what is left of the one before waits until that is gone.
        """
        plan = from_json(ReplicaPlan, call["replica"])
        before = self._running.get(plan.name)
        if before is None:
            self._start(call, plan)
        elif before.ending:
            self._postponed[plan.name] = call
            before.stopping.when_done(lambda _: self._start_postponed(call, plan))
        else:
            raise BackendError(f"{plan.name} runs already (pid {before.pid})")

    def stop(self, call: Call) -> None:
        """Verb: take a replica down; answers once nothing of its tree is left."""
        name = call["replica"]
        self._readiness.end(name)
        if name in self._postponed:
            error = ServiceStartError(f"{name} was stopped before it could start again", service=name)
            self._postponed.pop(name).fail(error)
        running = self._running.get(name)
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
        """Verb: send a signal to a replica's leader or to its whole tree; of SIGSTOP, answers when that stands."""
        running = self._running.get(call["replica"])
        if running is None:
            raise BackendError(f"{call['replica']} does not run")
        number = signal_number(call["signal"])
        if number == signal.SIGKILL:
            self._look_at_memory(call["replica"])
        met = {running.pid}
        if call.get("scope", "leader") == "tree":
            met = self._signal_tree(call["replica"], number)
        elif self._node.reaper.knows(running.pid):
            send(running.pid, number)
        if number == signal.SIGSTOP:
            when_still(self._node.loop, met, call.reply)
        else:
            call.reply()

    def runs(self, replica: str) -> bool:
        """Return whether anything of a replica is left."""
        return replica in self._running

    def _look_at_memory(self, replica: str) -> None:
        """Note what it shares before all of it may be dead at once, by our signal or by somebody else's."""
        self._node.shared_memory.look(replica, self._family.tree(replica))

    def _signal_tree(self, replica: str, number: int) -> set[int]:
        met: set[int] = set()
        for _ in range(STABLE_ROUNDS):
            new = [pid for pid in self._family.tree(replica) if pid not in met]
            for pid in new:
                send(pid, number)
            met.update(new)
            if not new:
                break
        return met

    def _start_postponed(self, call: Call, plan: ReplicaPlan) -> None:
        if self._postponed.get(plan.name) is call:
            del self._postponed[plan.name]
            serve(lambda call: self._start(call, plan), call)

    def _start(self, call: Call, plan: ReplicaPlan) -> None:
        start = int(call["start"])
        if plan.attached:
            self._starter.make_directory(plan)
            call.reply(pid=None, at=time.monotonic())
            self._follow(plan, start, 0)
            return
        birth, log_start = self._starter.fork(plan)
        stopping = Stopping(self._node, self._family, plan.name, birth.pid)
        self._take_in(Running(plan, start, birth, log_start, stopping, call))

    def _take_in(self, running: Running) -> None:
        """Know a process from its first moment to its last."""
        name = running.plan.name
        self._running[name] = running
        self._oom.watch(lambda: bool(self._running))
        self._family.add(name, running.pid, Home(running.plan.log, running.plan.dir, running.plan.cwd))
        self._node.reaper.adopt(running.pid, lambda how: self._exited(running, how))
        running.stopping.when_done(lambda _: self._gone(running))
        self._record.add(name, running.pid)
        self._node.loop.watch(running.birth.report, lambda: self._born(running))

    def _born(self, running: Running) -> None:
        """Answer whoever asked for the start, unless the process was ended before it could tell."""
        if running.call is None or not running.birth.is_decided():
            return
        call, running.call = running.call, None
        self._node.loop.forget(running.birth.report)
        serve(lambda call: self._answer(call, running), call)

    def _answer(self, call: Call, running: Running) -> None:
        try:
            with refusals(running.plan):
                if not running.birth.executes():
                    running.cut_off = call
                    return
            self._record.write()
        except (ServiceStartError, StateDirectoryError, OSError):
            running.failed = running.ending = True
            running.stopping.ask(signal.SIGKILL, 0.0)
            raise
        # Not the time of now: among a hundred that start at once we get round to this half a second late.
        call.reply(pid=running.pid, at=running.birth.at)
        self._follow(running.plan, running.start, running.log_start)

    def _follow(self, plan: ReplicaPlan, start: int, log_start: int) -> None:
        self._readiness.begin(plan, start, log_start, lambda: self._look_at_memory(plan.name))

    def _exited(self, running: Running, how: Exit) -> None:
        # From here on the number may be another process: everything that would signal it is told first.
        running.exit = how
        plan = running.plan
        self._family.leader_reaped(plan.name)
        self._born(running)  # it may have ended before we looked
        self._refuse_cut_off(running)
        self._readiness.end(plan.name, told=True)
        if not running.failed:
            self._node.notify(
                "exited",
                replica=plan.name,
                start=running.start,
                pid=running.pid,
                exit_code=how.exit_code,
                signal=how.signal,
                stopping=running.ordered,
                oom=self._oom.evidence() if how.signal == "SIGKILL" else "",
            )
        if running.ending:
            running.stopping.look()
        else:
            running.ending = True
            running.stopping.ask(signal.SIGTERM, min(plan.stop.timeout, ORPHANS_GRACE))

    def _refuse_cut_off(self, running: Running) -> None:
        """Answer who asked for a start that something ended before the program was executed."""
        if running.cut_off is not None:
            running.failed = True
            running.cut_off.fail(cut_off(running.plan, running.exit, ordered=running.ordered))

    def _gone(self, running: Running) -> None:
        self._family.remove(running.plan.name)
        self._record.remove(running.plan.name)
        del self._running[running.plan.name]


def signal_number(name: str) -> int:
    """Return 15 for "TERM" and "SIGTERM".

    Raises:
        KeyError: there is no such signal.
    """
    return signal.Signals[f"SIG{name.removeprefix('SIG')}"].value
