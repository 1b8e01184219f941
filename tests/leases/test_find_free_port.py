"""find_free_port leases for the life of the process that asked, and of no other."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from envspec.errors import PortUnavailableError
from envspec.leases import find_free_port
from envspec.leases.ports import claim
from tests.session.running import eventually


def test_nobody_else_can_claim_the_number_while_this_process_lives() -> None:
    number = find_free_port()
    assert 20000 <= number <= 32767
    with pytest.raises(PortUnavailableError):
        claim("127.0.0.1", [], fixed=number)


def test_a_server_can_listen_on_the_number() -> None:
    number = find_free_port()
    with socket.create_server(("127.0.0.1", number)), socket.create_connection(("127.0.0.1", number)) as client:
        assert client.getpeername() == ("127.0.0.1", number)


def test_the_number_is_of_the_range_asked_for() -> None:
    first = find_free_port() + 1
    assert first <= find_free_port((first, first + 50)) <= first + 50


def test_a_number_that_is_not_held_is_free_for_a_server_without_flags() -> None:
    number = find_free_port(hold=False)
    with socket.socket() as server:
        server.bind(("127.0.0.1", number))
        assert server.getsockname() == ("127.0.0.1", number)


def test_numbers_are_not_given_out_twice_even_if_not_held() -> None:
    first = find_free_port() + 1
    numbers = [find_free_port((first, first + 30), hold=False) for _ in range(15)]
    assert len(set(numbers)) == 15


PARENT = """
import os, sys
from envspec.leases import find_free_port
from envspec.leases.ports import claim
from envspec.errors import PortUnavailableError

number = find_free_port()
brief = os.fork()
if brief == 0:
    sys.exit()
os.waitpid(brief, 0)
try:
    claim("127.0.0.1", [], fixed=number)
except PortUnavailableError:
    print(number, flush=True)
if os.fork() == 0:
    sys.stdin.read()
    print("the child has ended")
"""


def test_a_forked_child_neither_drops_nor_prolongs_the_lease() -> None:
    argv = [sys.executable, "-c", PARENT]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdin
        assert parent.stdout
        number = int(parent.stdout.readline())
        assert parent.wait() == 0
        eventually(lambda: is_free(number), "the child to give up its copy")  # which it does before anything of ours
        parent.stdin.close()
        assert parent.stdout.read() == "the child has ended\n"


def is_free(number: int) -> bool:
    try:
        claim("127.0.0.1", [], fixed=number)[0].close()
    except PortUnavailableError:
        return False
    return True
