"""The agent: owns a node's services from hello until nothing is left of them."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from envspec.agent import tree
from envspec.agent.calls import Call, Node, Verb
from envspec.agent.checking import Checking
from envspec.agent.connection import Connection
from envspec.agent.family import Family
from envspec.agent.fetching import Fetching
from envspec.agent.holds import Holds
from envspec.agent.identity import boot_id
from envspec.agent.listen_gate import ListenGate
from envspec.agent.logs import Logs
from envspec.agent.loop import Loop, Timer
from envspec.agent.prober_client import ProberClient
from envspec.agent.processes import raise_descriptor_limit
from envspec.agent.readiness import Readiness
from envspec.agent.reaper import Reaper
from envspec.agent.record import Record
from envspec.agent.scratch import Scratch
from envspec.agent.services import Parts, Services
from envspec.agent.storage import writing
from envspec.agent.wire import PROTOCOL, Message
from envspec.errors import BackendError, EnvspecError

STREAM = 0
"""The descriptor that is the stream to the owner."""
GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL once the owner is lost."""
LOOK_AGAIN = 0.010
LAST_WORDS = 1.0
"""Seconds that a slow reader has for the reply to `close`."""
LOG = "agent.log"


def run_agent(owner_descriptor: int, scratch: Scratch) -> None:
    """Serve the stream on descriptor 0 until it ends, the owner or the guardian dies, or `close` is asked for."""
    raise_descriptor_limit()
    agent = Agent(socket.socket(fileno=os.dup(STREAM)), scratch)
    agent.loop.watch(owner_descriptor, lambda: agent.shut_down("the owner is gone"))
    woken, wake = socket.socketpair()
    wake.settimeout(0)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda _number, _frame: agent.shut_down("the guardian is gone"))
    agent.loop.watch(woken.fileno(), lambda: _drain(woken))
    agent.loop.run()
    scratch.remove()


def _drain(woken: socket.socket) -> None:
    woken.recv(64)


class Agent:
    """Reads requests, hands each to the part that serves its verb, and in the end takes everything down."""

    def __init__(self, stream: socket.socket, scratch: Scratch) -> None:
        self.loop = Loop()
        self._reaper = Reaper(self.loop)
        self._connection = Connection(self.loop, stream, self._on_message, self.shut_down)
        self._scratch = scratch
        self._verbs: Mapping[str, Verb] = {"hello": self._hello, "close": self._close}
        self._ttl: float | None = None
        self._expiry = Timer(self._expire)
        self._on_end: Callable[[], None] | None = None

    def shut_down(self, _reason: str) -> None:
        """End everything, whoever ordered it or died: SIGTERM at once and to all, SIGKILL after GRACE."""
        if self._on_end is None:
            self._begin_end(lambda: None)

    def _on_message(self, message: Message) -> None:
        self._renew()
        call = Call(message, self._connection.send)
        verb = self._verbs.get(call.verb)
        if verb is None:
            call.fail(BackendError(f"the agent knows no {call.verb!r} (or was not told hello first)"))
            return
        try:
            verb(call)
        except EnvspecError as error:
            call.fail(error)
        except (KeyError, TypeError, ValueError) as error:  # a request with something missing or of the wrong type
            sys.excepthook(type(error), error, error.__traceback__)
            call.fail(BackendError(f"the agent does not understand the request {call.verb!r}: {error!r}"))

    def _hello(self, call: Call) -> None:
        if call["protocol"] != PROTOCOL:
            message = f"the agent speaks protocol {PROTOCOL}, its owner {call['protocol']}"
            raise BackendError(message, hint="Install the same version of envspec in both places.")
        directory = Path(call["directory"])
        _redirect_output(directory)
        with writing(self._scratch.path):
            self._scratch.make()
        python = call.get("python") or sys.executable
        node = Node(self.loop, self._connection.send, call["session"], directory, Path(call["folder"]), python)
        self._verbs = {**self._verbs, **self._parts(node)}
        self._ttl = call.get("ttl")
        self._renew()
        call.reply(
            pid=os.getpid(),
            guardian=os.getppid(),
            boot_id=boot_id(),
            tmp=str(self._scratch.path),
            clock=time.monotonic(),
        )

    def _parts(self, node: Node) -> dict[str, Verb]:
        """Build what serves this node, and return the table of verbs."""
        family, holds, logs = Family(node.session), Holds(), Logs(node, self._reaper)
        record = Record(node.directory, node.session, os.getppid(), self._scratch.path)
        prober = ProberClient(node, self._reaper)
        readiness = Readiness(node, ListenGate(self.loop, family), prober)
        services = Services(node, Parts(self._reaper, family, holds, logs, record, readiness))
        checking = Checking(node, prober, readiness)
        return {
            "renew": lambda call: call.reply(),
            "lease": holds.lease,
            "fetch": Fetching(node, self._reaper).fetch,
            "start": services.start,
            "stop": services.stop,
            "signal": services.signal,
            "check": checking.check,
            "cancel": checking.cancel,
            "watch": readiness.watch,
            "unwatch": readiness.unwatch,
            "log": logs.log,
            "log_at": logs.log_at,
        }

    def _renew(self) -> None:
        """Any sign of the owner moves its expiry, where the backend gave one."""
        if self._ttl is not None:
            self._expiry.cancel()
            self._expiry = self.loop.after(self._ttl, self._expire)

    def _expire(self) -> None:
        self.shut_down("the owner has not been heard of")

    def _close(self, call: Call) -> None:
        def answer() -> None:
            call.reply()
            self._connection.flush(LAST_WORDS)

        if self._on_end is None:
            self._begin_end(answer)

    def _begin_end(self, on_end: Callable[[], None]) -> None:
        self._on_end = on_end
        for pid in tree.descendants(os.getpid()):
            tree.send(pid, signal.SIGTERM)
            tree.send(pid, signal.SIGCONT)
        self._end(time.monotonic() + GRACE)

    def _end(self, deadline: float) -> None:
        self._reaper.reap()
        if tree.children(os.getpid()) and time.monotonic() < deadline:
            self.loop.after(LOOK_AGAIN, lambda: self._end(deadline))
            return
        tree.end_descendants()
        if self._on_end is not None:
            self._on_end()
        self.loop.stop()


def _redirect_output(directory: Path) -> None:
    """Send what Python or a library prints here, tracebacks above all, to a file of the session."""
    with writing(directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = os.open(directory / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
