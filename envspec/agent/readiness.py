"""When a replica is healthy: its ports listen, then all its checks pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from envspec.agent.calls import Call, Node
from envspec.agent.listen_gate import Awaited, ListenGate
from envspec.agent.log_wait import LogWait, wait_for_line
from envspec.agent.loop import Timer
from envspec.agent.prober_job import Job, OnNotice
from envspec.agent.probers import Probers
from envspec.agent.wire import Message
from envspec.plan.codec import to_json
from envspec.plan.plan import Check, ReplicaPlan

if TYPE_CHECKING:
    from envspec.health.base import Answer

SETTLE = 0.1
"""Seconds that a process without validators must have lived to count as healthy: most that cannot run end at once."""
QUIET = 0.5
"""Seconds before anybody is told that a port does not listen yet; most services need less."""


@dataclass(eq=False)
class Subject:
    """A start of a replica, on its way to healthy. Checks go by their number in the plan.

    `open` are the checks that have not passed; `gates` the ports that have to listen before a check is asked; `notes`
    says of a port why what listens there does not count; `on_healthy` is called when all checks have passed. `waits`
    are to be cancelled when the start is over. `curious` are calls that wait for the last answers of the checks in
    `untold`.
    """

    plan: ReplicaPlan
    start: int
    log_start: int
    began: float
    on_healthy: Callable[[], None]
    open: set[int] = field(default_factory=set)
    gates: dict[int, set[int]] = field(default_factory=dict)
    notes: dict[int, str] = field(default_factory=dict)
    waits: list[Timer | LogWait] = field(default_factory=list)
    curious: list[Call] = field(default_factory=list)
    untold: set[int] = field(default_factory=set)


class Readiness:
    """Follows every started replica until it is healthy, then, if told so, watches that it stays so."""

    def __init__(self, node: Node, gate: ListenGate, prober: Probers) -> None:
        self._node = node
        self._gate = gate
        self._prober = prober
        self._subjects: dict[str, Subject] = {}
        self._ended: dict[str, Subject] = {}

    def begin(self, plan: ReplicaPlan, start: int, log_start: int, on_healthy: Callable[[], None]) -> None:
        """Follow a start that has just happened. Sends `listening`, `answer` and in the end `healthy`."""
        subject = Subject(plan, start, log_start, time.monotonic(), on_healthy, set(range(len(plan.health))))
        self._subjects[plan.name] = subject
        if not subject.open:
            subject.waits.append(self._node.loop.after(SETTLE, lambda: self._healthy(subject)))
            return
        for number, check in enumerate(plan.health):
            subject.gates[number] = {end.port for end in check.endpoints if check.local}
            if not _is_ours(check):
                self._prepare(subject, number, check)
        self._await_ports(subject)
        self._ask_what_is_open(subject)
        subject.waits.append(self._node.loop.after(QUIET, lambda: self._say_what_is_awaited(subject)))

    def end(self, replica: str, *, told: bool = False) -> None:
        """Forget a replica that has exited or is being stopped; with `told`, its last answers are sent first."""
        subject = self._subjects.pop(replica, None)
        if subject is None:
            return
        self._ended[replica] = subject
        self._gate.forget(replica)
        for wait in subject.waits:
            wait.cancel()
        if told:
            subject.untold = {number for number in subject.open if self._prober.retire(_key(subject, number))}
        else:
            subject.untold.clear()
            for number in subject.open:
                self._prober.cancel(_key(subject, number))
        self._reply_when_told(subject)
        self._prober.cancel(f"live:{replica}")

    def answers(self, call: Call) -> None:
        """Verb: send the last answer of every check that has not passed, with its tries so far; then reply.

        Of a replica that has just exited they are on their way, and the reply comes behind them.
        """
        name = call["replica"]
        subject = self._subjects.get(name) or self._ended.get(name)
        if subject is None:
            call.reply()
            return
        subject.curious.append(call)
        if name in self._subjects:
            self._say_what_is_awaited(subject)
            subject.untold = {number for number in subject.open if self._prober.tell(_key(subject, number))}
        self._reply_when_told(subject)

    def _reply_when_told(self, subject: Subject) -> None:
        if not subject.untold:
            curious, subject.curious = subject.curious, []
            for call in curious:
                call.reply()

    def watch(self, call: Call) -> None:
        """Verb: go on asking a healthy replica's checks; `unhealthy` tells when they fail."""
        subject = self._subjects.get(call["replica"])
        if subject is not None:
            order = {"do": "live", "every": call["every"], "failures": call["failures"]}
            heard = partial(self._heard_alive, subject.plan.name)
            self._prober.ask(f"live:{subject.plan.name}", self._job(subject, subject.plan.health, order, heard))
        call.reply()

    def unwatch(self, call: Call) -> None:
        """Verb: stop what `watch` began."""
        self._prober.cancel(f"live:{call['replica']}")
        call.reply()

    def subject(self, replica: str) -> Subject | None:
        """Return the present start of a replica."""
        return self._subjects.get(replica)

    def _job(self, subject: Subject, checks: tuple[Check, ...], order: Message, heard: OnNotice) -> Job:
        plan = subject.plan
        place = {"cwd": plan.cwd, "folder": str(self._node.folder), "log": plan.log, "log_start": subject.log_start}
        about = {"replica": plan.name, "env": dict(plan.env), **place}
        timing = {"every": None, "failures": None, "timeout": None}
        return Job({"checks": to_json(checks), **about, **timing, **order}, heard)

    def _heard_alive(self, replica: str, message: Message) -> None:
        if message["notice"] == "unhealthy":
            about = {name: message[name] for name in ("check", "position", "text", "tries", "seconds")}
            self._node.notify("unhealthy", replica=replica, **about)

    def _await_ports(self, subject: Subject) -> None:
        plan = subject.plan
        own = {end.port: end.host for block in plan.listens.values() for end in block} if not plan.attached else {}
        others = {end.port: end.host for check in plan.health if check.local for end in check.endpoints}
        for number, host in {**others, **own}.items():
            self._gate.wait(
                Awaited(
                    owner=plan.name,
                    number=number,
                    host=host,
                    replica=plan.name if number in own else "",
                    on_listen=partial(self._listens, subject, number),
                    on_foreign=partial(self._met_other, subject, number),
                    since=subject.began,
                )
            )

    def _listens(self, subject: Subject, port: int) -> None:
        plan = subject.plan
        name = next((name for name, block in plan.listens.items() if port in [end.port for end in block]), None)
        if name is not None:
            self._node.notify("listening", replica=plan.name, start=subject.start, port=name, number=port)
        for gate in subject.gates.values():
            gate.discard(port)
        self._ask_what_is_open(subject)

    def _ask_what_is_open(self, subject: Subject) -> None:
        """Ask the checks whose ports all listen."""
        for number in [number for number, gate in subject.gates.items() if not gate]:
            del subject.gates[number]
            self._ask(subject, number, subject.plan.health[number])

    def _ask(self, subject: Subject, number: int, check: Check) -> None:
        if check.kind == "tcp" and check.local:
            self._answer(subject, number, passed=True, text="listens")
        elif check.kind == "log":
            told = partial(self._read, subject, number)
            match = str(check.fields["match"])
            wait = wait_for_line(self._node.loop, subject.plan.log, subject.log_start, match, told)
            subject.waits.append(wait)
        else:
            self._prober.go(_key(subject, number))

    def _prepare(self, subject: Subject, number: int, check: Check) -> None:
        """Hand a check to the prober before its ports listen: asking it then costs one small message.

        All but the first stand behind, since no answer of theirs matters before the first one's.
        """
        heard = partial(self._heard, subject, number)
        order = {"do": "until", "held": True, "behind": number != min(subject.open)}
        self._prober.ask(_key(subject, number), self._job(subject, (check,), order, heard))

    def _heard(self, subject: Subject, number: int, message: Message) -> None:
        if message["notice"] == "answer":
            self._tell(subject, message)
        elif message["notice"] == "done" and message["passed"]:
            self._passed(subject, number)
        elif message["notice"] == "told":
            subject.untold.discard(number)
            self._reply_when_told(subject)

    def _read(self, subject: Subject, number: int, answer: Answer) -> None:
        self._answer(subject, number, passed=answer.passed, text=answer.text, remedy=answer.remedy)

    def _answer(self, subject: Subject, number: int, *, passed: bool, text: str, remedy: str = "") -> None:
        """Tell what the agent itself found out about a check. It looks all the time, which are no tries to count."""
        check = subject.plan.health[number]
        about = {"check": check.where, "position": check.position}
        self._tell(subject, {**about, "passed": passed, "text": text, "tries": int(passed), "remedy": remedy})
        if passed:
            self._passed(subject, number)

    def _tell(self, subject: Subject, answer: Message) -> None:
        told = {name: answer[name] for name in ("check", "position", "passed", "text", "tries", "remedy")}
        droppable = not answer["remedy"]  # that one ends the wait
        self._node.notify("answer", droppable=droppable, replica=subject.plan.name, start=subject.start, **told)

    def _passed(self, subject: Subject, number: int) -> None:
        if self._subjects.get(subject.plan.name) is not subject:
            return  # it has ended meanwhile
        subject.open.discard(number)
        if subject.open and number < min(subject.open):
            for other in subject.open:
                self._prober.step_forward(_key(subject, other))
        if not subject.open:
            self._gate.forget(subject.plan.name)
            self._healthy(subject)

    def _met_other(self, subject: Subject, port: int, note: str) -> None:
        """Warn of a listener that does not count, and go on waiting for the right one."""
        subject.notes[port] = note
        self._node.notify("warning", replica=subject.plan.name, message=f"{subject.plan.name}: {note}")
        self._say_what_is_awaited(subject)

    def _say_what_is_awaited(self, subject: Subject) -> None:
        for number, gate in subject.gates.items():
            ends = [end for end in subject.plan.health[number].endpoints if end.port in gate]
            text = "; ".join(subject.notes.get(end.port, f"nothing listens on {end.address} yet") for end in ends)
            self._answer(subject, number, passed=False, text=text)

    def _healthy(self, subject: Subject) -> None:
        self._node.notify("healthy", replica=subject.plan.name, start=subject.start)
        subject.on_healthy()


def _key(subject: Subject, number: int) -> str:
    return f"health:{subject.plan.name}:{subject.start}:{number}"


def _is_ours(check: Check) -> bool:
    """Say whether the agent answers a check by itself, without the prober."""
    return check.kind == "log" or (check.kind == "tcp" and check.local)
