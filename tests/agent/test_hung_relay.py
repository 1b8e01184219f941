"""A relay that hangs: who orders something of it hears so, and what was ordered in vain is not done later."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from envspec.agent import relay_client
from envspec.agent.calls import Call, Node
from envspec.agent.identity import stat_fields
from envspec.agent.loop import Loop
from envspec.agent.reaper import Exit, Reaper
from envspec.agent.relay_client import RelayClient
from envspec.agent.shared_memory import SharedMemory
from envspec.agent.wire import Message
from envspec.plan.codec import to_json
from envspec.plan.toxics import NOTHING, Toxics
from tests.agent.agent_client import wait_until

CUT = Toxics(reset=True)


class LoopAgain(Loop):
    """Can be run after it was stopped."""

    def run(self) -> None:
        self._running = True
        super().run()


class NoReaper(Reaper):
    """Leaves children to the test: a real one would take those of others in this process."""

    def adopt(self, pid: int, on_exit: Callable[[Exit], None]) -> None:
        del on_exit
        self.pid = pid


def unheard(*_: object, **__: object) -> None:
    """Take a notice."""


class Relayed:
    """A relay, ordered as a session does, and a server behind it that greets whoever comes."""

    def __init__(self, directory: Path, server: socket.socket) -> None:
        self.loop = LoopAgain()
        self.reaper = NoReaper(self.loop)
        node = Node(self.loop, self.reaper, SharedMemory(), unheard, "s", directory, directory, sys.executable)
        self.client = RelayClient(node)
        self._to = server.getsockname()
        self.numbers: dict[str, int] = {}

    def order(self, key: str, toxics: Toxics) -> Message:
        """Return the answer to an order."""
        answers: list[Message] = []

        def answered(message: Message) -> None:
            answers.append(message)
            self.loop.stop()

        if key not in self.numbers:
            with socket.create_server(("127.0.0.1", 0)) as free:
                self.numbers[key] = free.getsockname()[1]
        request: dict[str, Any] = {"host": "127.0.0.1", "number": self.numbers[key], "to": self._to}
        self.client.relay(Call({"id": 1, "key": key, "toxics": to_json(toxics), **request}, answered))
        self.loop.run()
        return answers[0]

    def greets(self, key: str) -> bool:
        """Say whether the server is heard through the relay."""
        try:
            with socket.create_connection(("127.0.0.1", self.numbers[key]), 20) as one:
                return one.recv(5) == b"hello"
        except ConnectionResetError:
            return False


def greet(server: socket.socket) -> None:
    with suppress(OSError):  # it is closed
        while True:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"hello")


@pytest.fixture
def relayed(tmp_path: Path) -> Iterator[Relayed]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=greet, args=(server,), daemon=True).start()
        relayed = Relayed(tmp_path, server)
        assert "ok" in relayed.order("web.http", NOTHING)
        yield relayed
        relayed.client.close()
        os.waitpid(relayed.reaper.pid, 0)
        server.shutdown(socket.SHUT_RDWR)


def stand_still(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: stat_fields(pid)[0] == "T", "a relay that stands still")


def test_an_order_to_a_relay_that_hangs_fails_in_time_with_what_to_do(
    relayed: Relayed, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = relayed.reaper.pid
    stand_still(pid)
    monkeypatch.setattr(relay_client, "PATIENCE", 0.05)
    error = relayed.order("web.http", CUT)["error"]
    assert error["message"] == f"the relay before web.http (pid {pid}) does not answer: it is stopped (SIGSTOP)"
    assert error["hint"].startswith(f"kill -CONT {pid} lets it go on; kill -KILL {pid} ends it: ")


def test_what_was_ordered_in_vain_is_not_done_when_the_relay_goes_on(
    relayed: Relayed, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_still(relayed.reaper.pid)
    with monkeypatch.context() as impatient:
        impatient.setattr(relay_client, "PATIENCE", 0.05)
        assert "error" in relayed.order("web.http", CUT)
    os.kill(relayed.reaper.pid, signal.SIGCONT)
    assert "ok" in relayed.order("other.http", CUT)  # orders are obeyed one after the other
    assert not relayed.greets("other.http")
    assert relayed.greets("web.http")
