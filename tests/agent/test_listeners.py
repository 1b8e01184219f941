"""The agent sees who listens, at once and with the owner."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from envspec.agent.listeners import Listener, ListenTable
from envspec.leases import sockets
from envspec.leases.ports import claim

SERVER = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["sock_diag", "proc"])
def table(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ListenTable]:
    """The table by netlink, and as it is where netlink is refused."""
    if request.param == "proc":
        monkeypatch.setattr(sockets, "_open_netlink", lambda: None)
    listen_table = ListenTable()
    yield listen_table
    listen_table.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "::"])
def test_a_listener_is_seen_as_soon_as_it_listens_and_no_longer(table: ListenTable, host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as server:
        server.bind((host, 0))
        port = server.getsockname()[1]
        assert port not in table.dump()
        server.listen()
        inode = os.fstat(server.fileno()).st_ino
        assert table.dump()[port] == [Listener(host, port, inode, os.getuid(), sockets.LISTEN)]
    assert port not in table.dump()


def test_a_hold_is_not_a_listener(table: ListenTable) -> None:
    with claim("127.0.0.1", [])[0] as hold:
        assert hold.number not in table.dump()


def test_all_of_several_hundred_listeners_are_seen(table: ListenTable) -> None:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(400)]
    ports = {server.getsockname()[1] for server in servers}
    assert ports <= table.dump().keys()
    for server in servers:
        server.close()


def test_two_servers_that_share_a_port_are_both_listed(table: ListenTable) -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as first:
        address = first.getsockname()
        with socket.create_server(address, reuse_port=True):
            assert len(table.dump()[address[1]]) == 2


def test_the_owner_of_a_listener_is_told_from_other_processes(table: ListenTable) -> None:
    argv = [sys.executable, "-c", SERVER]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        [listener] = table.dump()[port]
        assert table.owns(listener.inode, [os.getpid(), process.pid]) is True
        assert table.owns(listener.inode, [os.getpid()]) is False
        process.communicate()
    assert table.owns(listener.inode, [process.pid]) is False


def test_it_is_unknown_who_owns_a_listener_when_a_process_cannot_be_looked_into(
    table: ListenTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_pid: int) -> Iterator[int]:
        raise PermissionError

    monkeypatch.setattr("envspec.agent.listeners.open_sockets", refused)
    assert table.owns(1, [os.getpid()]) is None


def test_a_refused_dump_is_followed_by_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> Iterator[sockets.TcpSocket]:
        raise PermissionError

    monkeypatch.setattr(sockets, "_dump", refused)
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert server.getsockname()[1] in ListenTable().dump()
