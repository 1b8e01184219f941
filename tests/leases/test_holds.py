"""What a hold keeps out, and what it lets in."""

from __future__ import annotations

import contextlib
import errno
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from envspec.errors import PortUnavailableError
from envspec.leases import hold as hold_module
from envspec.leases.ports import Hold, claim

NATS = Path(sys.executable).parent / "nats-server"
FLAGS = {
    "SO_REUSEADDR": (socket.SO_REUSEADDR,),
    "SO_REUSEPORT": (socket.SO_REUSEPORT,),
    "both": (socket.SO_REUSEADDR, socket.SO_REUSEPORT),
}


def bound(host: str, number: int, *flags: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        for flag in flags:
            sock.setsockopt(socket.SOL_SOCKET, flag, 1)
        sock.bind((host, number))
    except OSError:
        sock.close()
        raise
    return sock


def free_number() -> int:
    [hold] = claim("127.0.0.1", [])
    with hold:
        return hold.number


@contextlib.contextmanager
def lingering_connection(number: int) -> Iterator[None]:
    """Leave what a server leaves that ended first: its side of a connection, in TIME_WAIT."""
    with bound("127.0.0.1", number, socket.SO_REUSEADDR) as server:
        server.listen()
        with socket.create_connection(("127.0.0.1", number)) as client:
            server.accept()[0].close()
            client.recv(1)
    try:
        bound("127.0.0.1", number).close()
    except OSError:
        yield
    else:
        pytest.skip("the kernel keeps no more connections in TIME_WAIT: net.ipv4.tcp_max_tw_buckets is reached")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "0.0.0.0"),
        ("0.0.0.0", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("127.0.0.1", "::"),
        ("::", "127.0.0.1"),
        ("::1", "::"),
        ("::", "::1"),
    ],
)
def test_a_held_number_cannot_be_held_a_second_time(first: str, second: str) -> None:
    number = free_number()
    with claim(first, [], fixed=number)[0], pytest.raises(PortUnavailableError):
        claim(second, [], fixed=number)
    claim(second, [], fixed=number)[0].close()


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::1", "::"])
def test_a_sought_number_is_ours_on_every_address(address: str) -> None:
    with claim("127.0.0.1", [])[0] as hold, pytest.raises(OSError, match="in use"):
        bound(address, hold.number)


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::1", "::"])
@pytest.mark.parametrize("fixed", [False, True])
def test_a_server_over_a_hold_gets_every_connection(address: str, flags: str, *, fixed: bool) -> None:
    [hold] = claim(address, [], fixed=free_number() if fixed else None)
    with hold, bound(address, hold.number, *FLAGS[flags]) as server:
        server.listen()
        to = ("::1" if ":" in address else "127.0.0.1", hold.number)
        for _ in range(20):
            with socket.create_connection(to, timeout=30) as client:
                connection, peer = server.accept()
                connection.close()
                assert peer == client.getsockname()
        with pytest.raises(PortUnavailableError):
            claim(address, [], fixed=hold.number)


def test_a_server_without_flags_is_let_in_once_the_hold_is_closed() -> None:
    [hold] = claim("127.0.0.1", [])
    with pytest.raises(OSError, match="in use"):
        bound("127.0.0.1", hold.number)
    hold.close()
    assert hold.closed
    bound("127.0.0.1", hold.number).close()


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "{port}"],
        [str(NATS), "-a", "127.0.0.1", "-p", "{port}"],
    ],
    ids=["http.server", "nats-server"],
)
def test_a_real_server_starts_over_the_hold_again_after_sigkill(command: list[str]) -> None:
    with claim("127.0.0.1", [])[0] as hold:
        for _ in range(2):
            argv = [part.format(port=hold.number) for part in command]
            process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                wait_until_connected(hold.number, process)
            finally:
                process.kill()
                assert process.wait() == -signal.SIGKILL
            with pytest.raises(OSError, match="in use"):
                bound("127.0.0.1", hold.number)


def wait_until_connected(number: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", number), timeout=1).close()
        except ConnectionRefusedError:
            signal.sigtimedwait([], 0.005)
        else:
            return
    pytest.fail(f"no connection to {process.args!r}")


def test_the_kernel_gives_a_held_number_to_nobody() -> None:
    with contextlib.ExitStack() as stack:
        held = {stack.enter_context(claim("127.0.0.1", [(40000, 40999)])[0]).number for _ in range(300)}
        given = set()
        for _ in range(2000):
            with bound("127.0.0.1", 0) as sock:
                given.add(sock.getsockname()[1])
    assert not held & given


def test_a_fixed_port_is_had_again_though_old_connections_linger() -> None:
    number = free_number()
    with lingering_connection(number), claim("127.0.0.1", [], fixed=number)[0]:
        with pytest.raises(PortUnavailableError):
            claim("127.0.0.1", [], fixed=number)
        with bound("127.0.0.1", number, socket.SO_REUSEADDR) as server:
            server.listen()
            socket.create_connection(("127.0.0.1", number)).close()


def test_a_lingering_port_is_refused_where_the_kernel_hides_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    number = free_number()
    monkeypatch.setattr(hold_module, "owners", lambda _host, _number: [])
    with lingering_connection(number), pytest.raises(PortUnavailableError, match="TIME_WAIT"):
        claim("127.0.0.1", [], fixed=number)


def test_without_ipv6_a_number_is_held_on_all_ipv4_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_host: str) -> None:
        raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")

    hold_module._everywhere.cache_clear()
    monkeypatch.setattr(hold_module, "require_address", refuse)
    try:
        held = hold_module.hold_everywhere("127.0.0.1", free_number_without_ipv6())
    finally:
        hold_module._everywhere.cache_clear()
    assert isinstance(held, Hold)
    with held:
        for address in ("127.0.0.1", "0.0.0.0"):
            with pytest.raises(OSError, match="in use"):
                bound(address, held.number)
        bound("::1", held.number).close()


def free_number_without_ipv6() -> int:
    with bound("0.0.0.0", 0) as sock:
        number: int = sock.getsockname()[1]
        return number
