"""Checks on demand: the environment's `ready`, a replica's `after_healthy` and `reset`."""

from __future__ import annotations

from envspec.agent.calls import Call, Node
from envspec.agent.prober_client import Job, ProberClient
from envspec.agent.readiness import Readiness
from envspec.agent.wire import Message

FIELDS = ("check", "position", "passed", "text", "tries")


class Checking:
    """The verbs `check` and `cancel`."""

    def __init__(self, node: Node, prober: ProberClient, readiness: Readiness) -> None:
        self._node = node
        self._prober = prober
        self._readiness = readiness
        self._calls: dict[str, Call] = {}

    def check(self, call: Call) -> None:
        """Verb: ask checks once, or until all pass; answers with what each of them said last."""
        key, replica = f"check:{call['key']}", str(call.get("replica") or "")
        subject = self._readiness.subject(replica)

        def heard(message: Message) -> None:
            if message["notice"] == "answer":
                answer = {name: message.get(name) for name in FIELDS}
                start = subject.start if subject else 0
                self._node.notify("answer", droppable=True, replica=replica, start=start, **answer)
            elif message["notice"] == "done":
                self._calls.pop(key, None)
                call.reply(passed=message["passed"], answers=message["answers"])

        self._calls[key] = call
        self._prober.ask(
            key,
            Job(
                {
                    "do": call["mode"],
                    "checks": call["checks"],
                    "replica": replica,
                    "env": call.get("env") or {},
                    "cwd": call.get("cwd") or str(self._node.folder),
                    "log": subject.plan.log if subject else "",
                    "log_start": subject.log_start if subject else 0,
                    "folder": str(self._node.folder),
                    "every": None,
                    "failures": None,
                    "timeout": call.get("timeout"),
                },
                heard,
            ),
        )

    def cancel(self, call: Call) -> None:
        """Verb: take a check back; its own reply then says that it did not pass."""
        key = f"check:{call['key']}"
        self._prober.cancel(key)
        pending = self._calls.pop(key, None)
        if pending is not None:
            pending.reply(passed=False, answers=[])
        call.reply()
