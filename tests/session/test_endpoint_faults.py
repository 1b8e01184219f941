"""What is done on purpose to what passes between a service and its users, against real servers and connections."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from envspec.agent import tree
from envspec.errors import UsageError
from envspec.plan import events as e
from envspec.session.control import Control
from envspec.session.detach import start_detached
from envspec.session.live import Environment
from envspec.session.live_endpoint import LiveEndpoint
from tests.session.lent import Lent
from tests.session.running import Bench, Running, eventually, is_gone

SERVER = """
import http.server, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        print("asked for", self.path, flush=True)
        size = int(self.path.rpartition("/")[2] or 2)
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        self.wfile.write(b"x" * size)

    def log_message(self, *_):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 100

Server((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"""

SERVICES = f"""
services:
  web:
    command: [python3, server.py, "{{{{ replica.host }}}}", "{{{{ ports.http }}}}"]
    files:
      server.py: |
{SERVER.replace(chr(10), chr(10) + "        ")}
    ports: {{http: {{proxy: true}}}}
    health: [{{http: {{port: http, path: /health/1}}}}]
    liveness: {{every: 50ms, failures: 2}}
  twins:
    command: [python3, -m, http.server, "{{{{ ports.http }}}}", --bind, "{{{{ replica.host }}}}"]
    replicas: 2
    ports: {{http: {{proxy: true}}}}
    health: [{{tcp: {{port: http}}}}]
  bare:
    command: [python3, -m, http.server, "{{{{ ports.http }}}}", --bind, "{{{{ replica.host }}}}"]
    ports: {{http: auto}}
    health: [{{tcp: {{port: http}}}}]
"""
PATIENCE = 20.0
SHORT = 0.3
"""Seconds in which nothing comes where nothing may; with what may come, nobody waits so long."""


@pytest.fixture
def session(bench: Bench) -> Running:
    return bench.session(SERVICES).up()


@pytest.fixture(params=["in the same process", "over the control socket"])
def live(session: Running, request: pytest.FixtureRequest) -> Environment:
    over_socket = request.param == "over the control socket"
    return Environment(Control(Path(session.background.status().dir)) if over_socket else session.background)


@pytest.fixture
def environment(session: Running) -> Environment:
    return Environment(session.background)


@pytest.fixture
def endpoint(environment: Environment) -> LiveEndpoint:
    return environment["web"].endpoint("http")


def connected(environment: Environment, service: str = "web") -> socket.socket:
    host, _, port = environment[service].address("http").rpartition(":")
    return socket.create_connection((host, int(port)), PATIENCE)


def ask(connection: socket.socket, path: str) -> None:
    connection.sendall(f"GET /{path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())


def piece(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    assert data, "the connection was ended"
    return data


def answer(connection: socket.socket) -> int:
    """Return how many bytes of body came."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += piece(connection)
    head, _, body = head.partition(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    came = len(body)
    while came < size:
        came += len(piece(connection))
    return came


def soon(connection: socket.socket, most: int) -> int:
    """Return how many bytes come within SHORT, or that there were as many as `most`."""
    end, came = time.monotonic() + SHORT, 0
    while came < most and (left := end - time.monotonic()) > 0:
        connection.settimeout(left)
        with suppress(TimeoutError):
            came += len(connection.recv(65536))
    connection.settimeout(PATIENCE)
    return came


def received(connection: socket.socket) -> int:
    """Return how many bytes came before the connection was cut by RST."""
    count = 0
    try:
        while data := connection.recv(65536):
            count += len(data)
    except ConnectionResetError:
        return count
    raise AssertionError("it ended in good order")


def is_cut(environment: Environment, service: str = "web") -> bool:
    """Say whether a new connection is cut; that may be seen in connecting already."""
    try:
        with connected(environment, service) as one:
            return received(one) == 0
    except ConnectionResetError:
        return True


@contextmanager
def silent(connection: socket.socket) -> Iterator[None]:
    """Say that nothing comes during the body and a little longer."""
    yield
    connection.settimeout(SHORT)
    with pytest.raises(TimeoutError):
        connection.recv(1)
    connection.settimeout(PATIENCE)


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


def test_latency_delays_answers_and_ends_with_the_block(live: Environment, session: Running) -> None:
    endpoint = live["web"].endpoint("http")
    with connected(live) as old, connected(live) as new:
        ask(old, "first/10")
        assert answer(old) == 10
        with endpoint.latency("10m", jitter="1s"):
            ask(old, "late/10")
            ask(new, "late/20")
            eventually(lambda: "asked for /late/20" in live["web"].logs(), "the questions, which are not delayed")
            with silent(old):
                pass
        assert (answer(old), answer(new)) == (10, 20)
    told = [event for event in session.of(e.FaultOrdered) if event.endpoint]
    assert [(event.replica, event.endpoint, event.action, event.detail) for event in told] == [
        ("web", "http", "latency", "10 min 0 s ± 1.00 s"),
        ("web", "http", "heal", "latency"),
    ]


def test_what_is_late_does_come(environment: Environment, endpoint: LiveEndpoint) -> None:
    endpoint.latency(0.2, jitter=0.1)
    with connected(environment) as one:
        ask(one, "late/500000")
        assert answer(one) == 500_000


def test_while_dropped_nothing_passes_and_afterwards_everything_does(live: Environment) -> None:
    endpoint = live["web"].endpoint("http")
    with connected(live) as old, ExitStack() as later:
        ask(old, "before/10")
        assert answer(old) == 10
        with endpoint.drop():
            new = later.enter_context(connected(live))
            with silent(old), silent(new):
                ask(old, "unheard/20")
                ask(new, "unheard/30")
            assert "unheard" not in live["web"].logs()
        assert (answer(old), answer(new)) == (20, 30)


def test_who_gives_up_while_nothing_passes_was_never_heard_of(environment: Environment, endpoint: LiveEndpoint) -> None:
    with endpoint.drop():
        with connected(environment) as impatient, silent(impatient):
            ask(impatient, "never/10")
        with connected(environment) as patient, silent(patient):
            pass
    with connected(environment) as one:
        ask(one, "after/10")
        assert answer(one) == 10
    assert "never" not in environment["web"].logs()


def test_a_throttled_transfer_is_overtaken_by_one_that_began_later(
    environment: Environment, endpoint: LiveEndpoint
) -> None:
    size = 3_000_000
    with connected(environment) as large, connected(environment) as small:
        with endpoint.throttle("10KB"):
            ask(large, f"large/{size}")
            assert large.recv(1)
            ask(small, "small/100")
            assert answer(small) == 100
            came = 1 + soon(large, 150_000)
            assert came < 150_000  # which takes 15 seconds
        while came < size:
            came += len(piece(large))


def test_a_reset_cuts_connections_that_are_there_and_those_that_come(live: Environment) -> None:
    endpoint = live["web"].endpoint("http")
    with connected(live) as old:
        ask(old, "before/10")
        assert answer(old) == 10
        with endpoint.reset():
            assert received(old) == 0
            assert is_cut(live)
    with connected(live) as one:
        ask(one, "after/10")
        assert answer(one) == 10


def test_a_reset_after_some_bytes_lets_exactly_these_pass(environment: Environment, endpoint: LiveEndpoint) -> None:
    with connected(environment) as old:
        ask(old, "before/1000")
        assert answer(old) == 1000
        with endpoint.reset(after_bytes="2KB"), connected(environment) as new:
            for connection in (old, new):
                ask(connection, "cut/500000")
            assert (received(old), received(new)) == (2000, 2000)


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


def test_faults_add_up_and_heal_ends_them_all(environment: Environment, endpoint: LiveEndpoint) -> None:
    endpoint.latency("10m")
    with endpoint.drop():
        pass
    with connected(environment) as one:
        with silent(one):
            ask(one, "late/10")
        endpoint.heal()
        assert answer(one) == 10


def test_the_service_stays_healthy_whatever_is_done_to_its_endpoint(session: Running, environment: Environment) -> None:
    with environment["web"].endpoint("http").drop():
        asked = environment["web"].logs().count("/health/")
        eventually(lambda: environment["web"].logs().count("/health/") > asked + 5, "more health checks")
    assert not session.of(e.ReplicaUnhealthy)
    assert environment.state == "healthy"


def test_of_a_service_all_replicas_are_meant(environment: Environment, session: Running) -> None:
    with environment["twins"].endpoint("http").reset():
        for name in ("twins.0", "twins.1"):
            assert is_cut(environment, name)
    with environment["twins.1"].endpoint("http").reset(), connected(environment, "twins.0") as other:
        ask(other, "")
        assert answer(other)
    ordered = [event.replica for event in session.of(e.FaultOrdered, action="reset")]
    assert sorted(ordered[:2]) == ["twins.0", "twins.1"]
    assert ordered[2:] == ["twins.1"]


def test_a_fault_of_an_endpoint_is_none_of_the_service(session: Running, endpoint: LiveEndpoint) -> None:
    session.background.fault("kill", "web")
    before = session["web"]
    with endpoint.latency(0.1):
        assert session["web"] == before


def test_the_error_of_the_body_is_raised_and_the_fault_ends_nevertheless(
    environment: Environment, endpoint: LiveEndpoint
) -> None:
    with pytest.raises(ZeroDivisionError), endpoint.drop():
        _ = 1 / 0
    with connected(environment) as one:
        ask(one, "after/10")
        assert answer(one) == 10


REFUSED: list[tuple[Callable[[Environment], object], str]] = [
    (lambda live: live["bare"].endpoint().drop(), "bare.http has no relay, so nothing can be done"),
    (lambda live: live["bare"].endpoint("nope").drop(), "bare has no port 'nope'"),
    (lambda live: live["web"].endpoint().latency("200"), "a duration needs a unit: 200s?"),
    (lambda live: live["web"].endpoint().latency(0.1, jitter=0.2), "its jitter no more than itself"),
    (lambda live: live["web"].endpoint().throttle(0), "lets some bytes a second pass"),
    (lambda live: live["web"].endpoint().reset(after_bytes=-1), "after_bytes is not negative"),
]


def test_what_cannot_be_done_is_refused_and_not_told(live: Environment, session: Running) -> None:
    hints = []
    for order, sentence in REFUSED:
        with pytest.raises(UsageError, match=re.escape(sentence)) as caught:
            order(live)
        hints.append(caught.value.hint)
    assert hints[0] == "under services.bare.ports write http: {proxy: true}"
    assert not session.of(e.FaultOrdered)


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


def test_a_file_says_what_is_done_to_endpoints_and_for_how_long(bench: Bench) -> None:
    faults = "faults: [{after: healthy + 10ms, latency: web.http, by: 10m, for: 200ms}]"
    session = bench.session(f"{SERVICES}\n{faults}").up()
    told = session.wait_count(e.FaultOrdered, 2)
    assert [(event.action, event.endpoint, event.detail) for event in told] == [
        ("latency", "http", "10 min 0 s"),
        ("heal", "http", "latency"),
    ]
    assert all(":1" in event.position for event in told)
    with connected(Environment(session.background)) as one:
        ask(one, "after/10")
        assert answer(one) == 10


def test_a_session_that_is_lent_again_is_healed_first(lent: Lent) -> None:
    request = lent.bench.request("services: {web: {use: http-server, ports: {http: {proxy: true}}}}")
    first = Environment(start_detached(request))
    first["web"].endpoint("http").reset()
    loan = lent.borrow(request)
    again = Environment(loan.control)
    assert again.id == first.id
    with connected(again) as one:
        ask(one, "")
        assert answer(one)
    loan.close()
