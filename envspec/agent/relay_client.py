"""The agent's side of the relay: one process for all ports that have one, replaced when it dies."""

from __future__ import annotations

import time
from functools import partial

from envspec.agent.calls import Call, Node
from envspec.agent.identity import stat_fields
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
PATIENCE = 15.0
"""Seconds in which an order must be carried out, which takes milliseconds, or 0.1 s of CPU where a relay starts."""
STOPPED = (["T"], ["t"])
"""States of a process that a signal or a debugger holds (proc(5), /proc/PID/stat)."""


class RelayClient:
    """At most one relay process, what it was told last of each port, what it did last, and who waits for an answer."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._child: PipedChild | None = None
        self._orders: dict[str, Message] = {}
        self._done: dict[str, Message] = {}
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
        first = not self._orders
        self._calls.setdefault(key, []).append(call)
        self._node.loop.after(PATIENCE, partial(self._give_up, key, call))
        self._order(key, order)
        if first and self._child is None:
            self._spawn()

    def close(self) -> None:
        """End the relay for good."""
        self._closed = True
        if self._child is not None:
            self._child.kill()

    def _order(self, key: str, order: Message) -> None:
        """Let this be done at a port from now on; answers to what was ordered there before are none any more."""
        self._orders[key] = {**order, "id": self._orders.get(key, {"id": 0})["id"] + 1}
        if self._child is not None:
            self._child.send(self._orders[key])

    def _give_up(self, key: str, call: Call) -> None:
        """Fail an order that was not carried out in time; where nobody waits for another one, it is taken back."""
        if call not in (calls := self._calls.get(key, [])):
            return
        calls.remove(call)
        if not calls and key in self._done:
            self._order(key, self._done[key])
        self._fail([call], *self._why_late(key))

    def _why_late(self, key: str) -> tuple[str, str]:
        """Return what to say of a relay that does not answer, and what to do about it."""
        if self._child is None:
            said = last_line(self._node.directory / LOG)
            return f"there is no relay before {key}, and none came within {PATIENCE:g} s: {said}", ""
        pid = self._child.pid
        message = f"the relay before {key} (pid {pid}) does not answer"
        end = f"kill -KILL {pid} ends it: connections through it are cut, and another one takes its place"
        if stat_fields(pid)[:1] in STOPPED:
            return f"{message}: it is stopped (SIGSTOP)", f"kill -CONT {pid} lets it go on; {end}"
        return f"{message} within {PATIENCE:g} s", f"it may be busy; {end}"

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
        else:
            self._done[key] = order
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
    def _fail(calls: list[Call], text: str, hint: str = "") -> None:
        from envspec.errors import BackendError  # not above: it costs the agent's start 10 ms

        for call in calls:
            call.fail(BackendError(text, hint=hint))
