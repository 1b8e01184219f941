"""`nats`: the server answers a client, and JetStream its account.

The protocol is text over a socket, and what a probe needs of it fits on this page; nats-py would bring asyncio into
every probe, and reconnects by itself, which is the last thing that a probe wants.
"""

from __future__ import annotations

import json
import socket
import time
from typing import Any, ClassVar

from envspec.health.base import FIVE_SECONDS, PLACES, Answer, Context, Target, Validator, ask_each
from envspec.health.tls import Tls, client_context
from envspec.health.values import PositiveDuration

INBOX = "_INBOX.envspec"
HELLO = {
    "verbose": False,
    "pedantic": False,
    "headers": True,
    "no_responders": True,
    "name": "envspec",
    "lang": "python",
}


class Nats(Validator):
    """A NATS client is let in and gets its PONG; with `jetstream`, the account's JetStream answers as well."""

    choose_one: ClassVar = PLACES

    port: str | None = None
    """A port of the service itself, by name: that of clients."""
    endpoint: str | None = None
    """A port of any service: `nats.client` is every replica's, `nats.1.client` that one's."""
    jetstream: bool = False
    """Ask JetStream for the account's info."""
    tls: Tls | None = None
    """Speak TLS. A server that demands it gets it anyway."""
    timeout: PositiveDuration = FIVE_SECONDS
    """How long one attempt may take."""

    def probe(self, context: Context) -> Answer:
        """Ask each server."""
        return ask_each(context.targets, context.timeout, lambda target: self._ask(target, context.timeout))

    def _ask(self, target: Target, timeout: float) -> Answer:
        with _Client(target, timeout) as client:
            info = client.greet(self.tls)
            name = f"NATS {info.get('version', 'of unknown version')}"
            refusal = client.ping()
            if refusal and "authorization" in refusal.lower():
                return _locked(name, jetstream=self.jetstream)
            if refusal:
                return Answer(passed=False, text=f"{name}: {refusal}")
            if not self.jetstream:
                return Answer(passed=True, text=f"{name} answers")
            problem = client.jetstream_problem()
        return Answer(passed=not problem, text=f"{name}: {problem}" if problem else f"{name} with JetStream answers")


def _locked(name: str, *, jetstream: bool) -> Answer:
    """A server that asks for credentials serves those who have them, but whether its JetStream does cannot be seen."""
    if jetstream:
        return Answer(
            passed=False, text=f"{name} demands credentials; ask its JetStream with a python or exec validator"
        )
    return Answer(passed=True, text=f"{name} answers, and demands credentials")


class _Client:
    """One connection, with one deadline for all that is read from it."""

    def __init__(self, target: Target, timeout: float) -> None:
        self._host = target.host
        self._deadline = time.monotonic() + timeout
        self._socket = socket.create_connection((target.host, target.port), timeout)
        self._pending = b""

    def __enter__(self) -> _Client:
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()

    def greet(self, tls: Tls | None) -> dict[str, Any]:
        """Read the server's INFO, change to TLS where either side wants it, and send CONNECT."""
        word, _, text = self._line().partition(" ")
        if word != "INFO":
            message = f"not a NATS server: it began with {word[:40]!r}"
            raise ConnectionError(message)
        info: dict[str, Any] = json.loads(text)
        if tls is not None or info.get("tls_required"):
            self._socket = client_context(tls).wrap_socket(self._socket, server_hostname=self._host)
        self._send(f"CONNECT {json.dumps(HELLO)}\r\n")
        return info

    def ping(self) -> str:
        """Return an empty string after a PONG, else what the server said instead."""
        self._send("PING\r\n")
        while (line := self._line()) != "PONG":
            if line.startswith("-ERR"):
                return line[5:].strip("'")
        return ""

    def jetstream_problem(self) -> str:
        """Ask for the account's info; return an empty string, or what is wrong with JetStream."""
        self._send(f"SUB {INBOX} 1\r\nPUB $JS.API.INFO {INBOX} 0\r\n\r\n")
        while True:
            line = self._line()
            if line.startswith("-ERR"):
                return line[5:].strip("'")
            if line.startswith("HMSG"):
                return "JetStream is not enabled (no responders)"
            if line.startswith("MSG"):
                error = json.loads(self._take(int(line.split()[-1]))).get("error")
                return f"JetStream says {error.get('description')} (code {error.get('code')})" if error else ""

    def _send(self, text: str) -> None:
        self._socket.settimeout(self._remaining())
        self._socket.sendall(text.encode())

    def _line(self) -> str:
        while b"\r\n" not in self._pending:
            self._receive()
        line, _, self._pending = self._pending.partition(b"\r\n")
        return line.decode("utf-8", "replace")

    def _take(self, size: int) -> bytes:
        while len(self._pending) < size:
            self._receive()
        taken, self._pending = self._pending[:size], self._pending[size:]
        return taken

    def _receive(self) -> None:
        self._socket.settimeout(self._remaining())
        chunk = self._socket.recv(65536)
        if not chunk:
            raise ConnectionResetError
        self._pending += chunk

    def _remaining(self) -> float:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        return remaining
