"""Checks on demand: the environment's `ready`, a replica's `after_healthy` and `reset`."""

from __future__ import annotations

from functools import partial

from envspec.agent.calls import Call, Node
from envspec.agent.prober_job import Job
from envspec.agent.probers import Probers
from envspec.agent.readiness import Readiness
from envspec.agent.wire import Message

FIELDS = ("check", "position", "passed", "text", "tries", "remedy")


class Checking:
    """The verbs `check` and `cancel`."""

    def __init__(self, node: Node, prober: Probers, readiness: Readiness) -> None:
        self._node = node
        self._prober = prober
        self._readiness = readiness
        self._calls: dict[str, Call] = {}

    def check(self, call: Call) -> None:
        """Verb: ask checks once, or until all pass; answers with what each of them said last."""
        key = f"check:{call['key']}"
        self._calls[key] = call
        self._prober.ask(key, Job(self._order(call), partial(self._heard, key)))

    def cancel(self, call: Call) -> None:
        """Verb: take a check back; its own reply then says that it did not pass."""
        key = f"check:{call['key']}"
        self._prober.cancel(key)
        pending = self._calls.pop(key, None)
        if pending is not None:
            pending.reply(passed=False, answers=[])
        call.reply()

    def _order(self, call: Call) -> Message:
        replica, folder = str(call.get("replica") or ""), str(self._node.folder)
        subject = self._readiness.subject(replica)
        log = {"log": subject.plan.log, "log_start": subject.log_start} if subject else {"log": "", "log_start": 0}
        about = {"replica": replica, "env": call.get("env") or {}, "cwd": call.get("cwd") or folder, "folder": folder}
        timing = {"every": None, "failures": None, "timeout": call.get("timeout")}
        return {"do": call["mode"], "checks": call["checks"], **about, **log, **timing}

    def _heard(self, key: str, message: Message) -> None:
        call = self._calls[key]
        replica = str(call.get("replica") or "")
        if message["notice"] == "answer":
            subject = self._readiness.subject(replica)
            answer = {name: message.get(name) for name in FIELDS}
            start = subject.start if subject else 0
            self._node.notify("answer", droppable=True, replica=replica, start=start, **answer)
        elif message["notice"] == "done":
            del self._calls[key]
            call.reply(passed=message["passed"], answers=message["answers"])
