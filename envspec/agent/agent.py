"""The agent: serves its owner's requests, and in the end leaves nothing behind.

This module and what it imports is all that must run before hello, so it stays clear of dataclasses and the plan; the
rest (envspec.agent.parts) is imported while the owner is busy with its own start: before hello where that has not come
yet, as under a command line, else after its answer. In the first case the prober is started then, too.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from envspec.agent import tree
from envspec.agent.calls import Call, Node, Verb, serve
from envspec.agent.connection import Connection
from envspec.agent.identity import boot_id
from envspec.agent.loop import Loop, Timer
from envspec.agent.piped import PipedChild
from envspec.agent.prober_client import branch_prober
from envspec.agent.probers import Probers
from envspec.agent.processes import raise_descriptor_limit
from envspec.agent.reaper import Reaper
from envspec.agent.record import Record
from envspec.agent.relay_client import RelayClient
from envspec.agent.scratch import Scratch
from envspec.agent.shared_memory import SharedMemory
from envspec.agent.storage import writing
from envspec.agent.tied import Tied
from envspec.agent.wire import PROTOCOL, Message

STREAM = 0
"""The descriptor that is the stream to the owner."""
GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL once the owner is lost."""
LOOK_AGAIN = 0.010
"""Seconds between looks whether all have ended by themselves."""
LAST_WORDS = 1.0
"""Seconds that a slow reader has for the reply to `close`."""
LOG = "agent.log"


def run_agent(owner_descriptor: int, scratch: Scratch) -> None:
    """Serve the stream on descriptor 0 until it ends, the owner or the guardian dies, or `close` is asked for."""
    raise_descriptor_limit()
    agent = Agent(socket.socket(fileno=os.dup(STREAM)), scratch, Tied(owner_descriptor))
    agent.loop.watch(owner_descriptor, agent.shut_down)
    woken, wake = socket.socketpair()
    wake.settimeout(0)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    # How we hear of the guardian's death; Python runs the handler when the descriptor has woken the loop.
    signal.signal(signal.SIGTERM, lambda _number, _frame: agent.shut_down())
    agent.loop.watch(woken.fileno(), lambda: _drain(woken))
    if not select.select([STREAM], [], [], 0)[0]:
        agent.prepare()
    agent.loop.run()
    scratch.remove()


def _drain(woken: socket.socket) -> None:
    woken.recv(64)


class Agent:
    """Reads requests, hands each to the part that serves its verb, and in the end takes everything down."""

    def __init__(self, stream: socket.socket, scratch: Scratch, tied: Tied) -> None:
        self.loop = Loop()
        self._reaper = Reaper(self.loop)
        self._shared_memory = SharedMemory()
        self._connection = Connection(self.loop, stream, self._on_message, self.shut_down)
        self._scratch = scratch
        self._tied = tied
        self._verbs: Mapping[str, Verb] = {"hello": self._hello}
        self._prober: Probers | None = None
        self._early_prober: PipedChild | None = None
        self._relays: RelayClient | None = None
        self._record: Record | None = None
        self._ttl: float | None = None
        self._expiry = Timer(self.shut_down)
        self._on_end: Callable[[], None] | None = None
        self._is_lost = False

    def prepare(self) -> None:
        """Use the time until hello: import what requests would else wait for, then let a prober come up."""
        try:
            import envspec.agent.parts  # noqa: F401  what serves all requests, 17 ms
            from envspec.models import SOURCES

            tuple(SOURCES.values())  # each is imported when it is looked up; `find` would wait 7 ms for it
        except OSError:  # no descriptor is left: the first request that needs it is told so
            return
        self._early_prober = branch_prober(self.loop, self._reaper)

    def shut_down(self) -> None:
        """End everything, whoever died: SIGTERM to all at once, SIGKILL after GRACE."""
        self._is_lost = True  # and nobody asked us to `close`
        if self._on_end is None:
            self._connection.fall_silent()  # or the owner would take what we end now for deaths of its own
            self._begin_end(lambda: None)

    def _on_message(self, message: Message) -> None:
        self._renew()
        call = Call(message, self._connection.send)
        serve(self._verbs.get(call.verb, _unknown), call)

    def _hello(self, call: Call) -> None:
        """Verb: learn what this node is for. Answers before the rest of the agent is imported, if it is not yet."""
        if call["protocol"] != PROTOCOL:
            raise ValueError(f"the agent speaks protocol {PROTOCOL}, its owner {call['protocol']}")
        directory, guardian = Path(call["directory"]), os.getppid()
        _redirect_output(directory)
        with writing(self._scratch.path):
            self._scratch.make()
        self._record = record = Record(directory, call["session"], guardian, self._scratch.path)
        node = Node(
            loop=self.loop,
            reaper=self._reaper,
            shared_memory=self._shared_memory,
            send=self._connection.send,
            session=call["session"],
            directory=directory,
            folder=Path(call["folder"]),
            python=call.get("python") or sys.executable,
        )
        self._prober = Probers(node, self._early_prober)
        self._relays = RelayClient(node)
        tmp = str(self._scratch.path)
        call.reply(pid=os.getpid(), guardian=guardian, boot_id=boot_id(), tmp=tmp, clock=time.monotonic())
        self._ttl = call.get("ttl")
        self._renew()
        from envspec.agent.parts import verbs

        relays = {"prepare_relay": self._relays.prepare, "relay": self._relays.relay}
        own = {**relays, "tie": self._tied.tie, "close": self._close}
        self._verbs = {**verbs(node, record, self._prober), **own}

    def _renew(self) -> None:
        """Any sign of the owner moves its expiry, where the backend gave one."""
        if self._ttl is not None:
            self._expiry.cancel()
            self._expiry = self.loop.after(self._ttl, self.shut_down)

    def _close(self, call: Call) -> None:
        """Verb: end everything, answer when it is done, and exit."""

        def answer() -> None:
            call.reply()
            self._connection.flush(LAST_WORDS)

        if self._on_end is None:
            self._begin_end(answer)

    def _begin_end(self, on_end: Callable[[], None]) -> None:
        self._on_end = on_end
        self._verbs = {}  # nothing is started any more
        if self._prober is not None:
            self._prober.close()
        if self._relays is not None:
            self._relays.close()
        everybody = tree.descendants(os.getpid())
        self._shared_memory.look("", everybody)
        for pid in everybody:
            tree.send(pid, signal.SIGTERM)
            tree.send(pid, signal.SIGCONT)
        self._end(time.monotonic() + GRACE)

    def _end(self, deadline: float) -> None:
        self._reaper.reap()
        tied_are_left = self._is_lost and self._tied.ask()
        if (tree.children(os.getpid()) or tied_are_left) and time.monotonic() < deadline:
            self.loop.after(LOOK_AGAIN, lambda: self._end(deadline))
            return
        tree.end_descendants()
        self._tied.kill()
        self._shared_memory.remove_all()
        if self._record is not None and not tree.children(os.getpid()):
            self._record.close()
        if self._on_end is not None:
            self._on_end()
        self.loop.stop()


def _unknown(call: Call) -> None:
    raise ValueError(f"the agent knows no verb {call.verb!r}, or was not told hello first")


def _redirect_output(directory: Path) -> None:
    """Send what Python or a library prints here, tracebacks above all, to a file of the session."""
    with writing(directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = os.open(directory / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
