"""The relay before a port: nobody notices it, and what becomes of it when it or the service dies."""

from __future__ import annotations

import os
import signal
import socket
import urllib.request

import pytest

from envspec.agent import tree
from envspec.plan import events as e
from envspec.session.live import Environment
from tests.session.running import Bench, Running, eventually, is_gone
from tests.session.wire import PATIENCE, SERVICES, answer, ask, connected, is_cut


@pytest.fixture
def session(bench: Bench) -> Running:
    return bench.session(SERVICES).up()


def test_an_endpoint_without_faults_is_as_if_nothing_stood_before_it(environment: Environment) -> None:
    with connected(environment) as one:
        ask(one, "some/100000")
        assert answer(one) == 100_000
        ask(one, "more/3000000")
        assert answer(one) == 3_000_000


def test_a_half_closed_connection_still_hears_the_answer(environment: Environment) -> None:
    with connected(environment) as one:
        ask(one, "last/70000")
        one.shutdown(socket.SHUT_WR)
        assert answer(one) == 70_000
        assert one.recv(1) == b""


def test_a_client_that_resets_is_told_to_the_service(environment: Environment) -> None:
    with connected(environment) as one:
        ask(one, "much/50000000")
        assert one.recv(1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    eventually(lambda: "ConnectionResetError" in environment["web"].logs() or "BrokenPipe" in environment["web"].logs())


def test_a_service_that_is_down_resets_instead_of_refusing(environment: Environment) -> None:
    web = environment["web"]
    with web.stopped():
        assert is_cut(environment)
    with connected(environment) as one:
        ask(one, "again/10")
        assert answer(one) == 10


def relays() -> list[int]:
    return [pid for pid in tree.descendants(os.getpid()) if "envspec.agent.relay" in tree.command_of(pid)]


def test_a_relay_that_dies_is_told_and_replaced_with_what_it_did(session: Running, environment: Environment) -> None:
    with environment["web"].endpoint("http").reset():
        (pid,) = relays()
        os.kill(pid, signal.SIGKILL)
        told = session.wait(e.Warned)
        assert told.message.startswith("the relay before web.http, twins.0.http, twins.1.http died (SIGKILL)")
        eventually(lambda: relays() not in ([], [pid]), "another relay")
        environment["twins"].endpoint("http").heal()  # answered once it listens again
        assert is_cut(environment)
    with connected(environment) as one:
        ask(one, "after/10")
        assert answer(one) == 10


def test_without_a_proxy_there_is_no_relay(bench: Bench) -> None:
    bench.session("services: {idle: {command: [sleep, '100'], ports: {http: auto}}}").up()
    assert not relays()


def test_others_meet_the_relay_and_it_ends_with_the_session(session: Running, environment: Environment) -> None:
    (pid,) = relays()
    with urllib.request.urlopen(f"{environment['web'].url()}/seen/10", timeout=PATIENCE) as reply:
        assert reply.read() == b"x" * 10
    assert f"http.server {environment['twins.0'].port()}" not in tree.command_of(environment["twins.0"].pid or 0)
    session.stop()
    assert is_gone(pid)
