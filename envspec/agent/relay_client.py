"""The agent's side of the relay: one process for all ports that have one, replaced when it dies."""

from __future__ import annotations

import time

from envspec.agent.calls import Call, Node
from envspec.agent.piped import Listener, PipedChild, Program, last_line
from envspec.agent.program import SpawnError
from envspec.agent.reaper import Exit
from envspec.agent.wire import Message

LOG = "relay.log"
QUICK_DEATH = 5.0
"""Seconds within which a relay's death is counted: it cannot start, or dies of what it is told."""
DEATHS = 3
"""Quick deaths in a row after which those who wait hear of it; then another one is tried every RETRY seconds."""
RETRY = 1.0


class RelayClient:
    """At most one relay process, what it was told last of each port, and who waits for its answer."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._child: PipedChild | None = None
        self._orders: dict[str, Message] = {}
        self._calls: dict[str, list[Call]] = {}
        self._started = 0.0
        self._deaths = 0
        self._closed = False

    def prepare(self, call: Call) -> None:
        """Verb: let the relay come up, which takes 0.1 s, while it is not known yet what for."""
        self._spawn()
        call.reply()

    def relay(self, call: Call) -> None:
        """Verb: listen at `host`, `number` for what is at `to`, and do what `toxics` says; answers when that is so."""
        order = {name: call[name] for name in ("key", "host", "number", "to", "toxics")}
        key = str(order["key"])
        order["id"] = self._orders.get(key, {"id": 0})["id"] + 1
        first = not self._orders
        self._orders[key] = order
        self._calls.setdefault(key, []).append(call)
        if self._child is not None:
            self._child.send(order)
        elif first:
            self._spawn()

    def close(self) -> None:
        """End the relay for good."""
        self._closed = True
        if self._child is not None:
            self._child.kill()

    def _spawn(self) -> None:
        if self._closed or self._child is not None:
            return
        self._started = time.monotonic()
        program = Program((self._node.python, "-P", "-m", "envspec.agent.relay"), "/", self._node.directory / LOG)
        listener = Listener(self._heard, self._died)
        try:
            self._child = PipedChild(self._node.loop, self._node.reaper, program, listener)
        except SpawnError as error:
            self._unavailable(f"the relay cannot be started: {error}")
            return
        for order in self._orders.values():
            self._child.send(order)

    def _heard(self, message: Message) -> None:
        key = str(message.get("key"))
        order = self._orders.get(key)
        if order is None or message["id"] != order["id"]:
            return  # a later order of the same port is on its way, and answers for both
        calls, error = self._calls.pop(key, []), message["error"]
        if error and calls:
            del self._orders[key]
            self._fail(calls, f"no relay can listen on {order['host']}:{order['number']} for {key}: {error}")
        elif error:
            self._node.notify("warning", message=f"{key} has no relay any more: {error}")
        for call in calls:
            call.reply()

    def _died(self, how: Exit) -> None:
        self._child = None
        if self._closed:
            return
        ending = how.signal or f"exit code {how.exit_code}"
        self._deaths = self._deaths + 1 if time.monotonic() - self._started < QUICK_DEATH else 1
        if self._deaths >= DEATHS:
            said = last_line(self._node.directory / LOG)
            self._unavailable(f"the relay died {self._deaths} times in a row ({ending}): {said}")
            return
        if self._orders:
            what = "connections through it were cut, and it is started again"
            self._node.notify("warning", message=f"the relay before {', '.join(self._orders)} died ({ending}): {what}")
        self._spawn()

    def _unavailable(self, text: str) -> None:
        waiting, self._calls = [call for calls in self._calls.values() for call in calls], {}
        self._fail(waiting, text)
        self._node.notify("warning", message=f"{text}; another try follows")
        self._node.loop.after(RETRY, self._spawn)

    @staticmethod
    def _fail(calls: list[Call], text: str) -> None:
        from envspec.errors import BackendError  # not above: it costs the agent's start 10 ms

        for call in calls:
            call.fail(BackendError(text))
