"""A refused claim says who has the port and what to do."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from envspec.errors import PortUnavailableError
from envspec.leases.ports import claim

# Prints the number that it holds or listens on and waits for its stdin to end.
HOLDER = """
import sys
from envspec.leases.ports import claim
[hold] = claim("127.0.0.1", [])
print(hold.number, flush=True)
sys.stdin.read()
"""
LISTENER = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""
AGENT_LIKE = """
import os, subprocess, sys
from envspec.leases.ports import claim
[hold] = claim("127.0.0.1", [])
service = subprocess.Popen(["cat"], stdin=subprocess.PIPE, env={**os.environ, "ENVSPEC_SESSION": "local-x7k2p"})
print(hold.number, flush=True)
sys.stdin.read()
service.communicate()
"""


@contextmanager
def running(script: str, **environ: str) -> Iterator[tuple[int, int]]:
    """Run a script that has a port; gives its pid and the number."""
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environ},
    )
    with process:
        assert process.stdout
        yield process.pid, int(process.stdout.readline())
        process.communicate()


def refusal(**arguments: int | list[tuple[int, int]]) -> PortUnavailableError:
    with pytest.raises(PortUnavailableError) as caught:
        claim("127.0.0.1", **{"ranges": [], **arguments})  # type: ignore[arg-type]
    return caught.value


def test_the_owner_of_a_fixed_port_is_named_by_pid_user_and_command() -> None:
    with running(LISTENER) as (pid, number):
        error = refusal(fixed=number)
    assert str(error).startswith(f"port {number} on 127.0.0.1 is in use by pid {pid} (user {getpass.getuser()}): ")
    assert sys.executable in str(error)
    assert "`auto`" in error.hint


def test_a_port_that_is_held_but_not_listened_on_is_told_apart() -> None:
    with running(HOLDER) as (pid, number):
        assert f"is held, not listened on, by pid {pid} " in str(refusal(fixed=number))


@pytest.mark.parametrize(("script", "tag"), [(LISTENER, "local-x7k2p"), (AGENT_LIKE, "")])
def test_a_port_of_another_session_names_the_session(script: str, tag: str) -> None:
    environ = {"ENVSPEC_SESSION": tag} if tag else {}
    with running(script, **environ) as (pid, number):
        error = refusal(fixed=number)
        exhausted = refusal(ranges=[(number, number)])
    assert f"pid {pid} of the envspec session local-x7k2p" in str(error)
    assert "envspec down local-x7k2p" in error.hint
    assert "1 of 1 taken (1 by the envspec session local-x7k2p)" in str(exhausted)


def test_a_port_of_another_sessions_replica_names_the_replica_and_not_its_command() -> None:
    with running(LISTENER, ENVSPEC_SESSION="local-x7k2p", ENVSPEC_REPLICA="web.0") as (pid, number):
        error = refusal(fixed=number)
    said = f"in use by pid {pid} of the envspec session local-x7k2p (for its replica web.0, user {getpass.getuser()})"
    assert str(error) == f"port {number} on 127.0.0.1 is {said}"


def test_a_command_of_several_lines_stays_on_one() -> None:
    with running(f"# \x1b[31m red{LISTENER}") as (_, number):
        error = refusal(fixed=number)
        exhausted = refusal(ranges=[(number, number)])
    assert "-c # ^[[31m red^Jimport socket, sys^J" in str(error)
    for text in (str(error), str(exhausted)):
        assert text.isprintable()


def test_a_port_that_outgoing_connections_use_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        error = refusal(fixed=client.getsockname()[1])
    assert "in use, as the local end of a connection, by pid" in str(error)


def test_an_exhausted_range_counts_the_taken_and_names_the_owners() -> None:
    first = claim_and_close(4)
    ours = claim("127.0.0.1", [], fixed=first, count=3)
    with socket.create_server(("127.0.0.1", first + 3)):
        error = refusal(ranges=[(first, first + 3)])
        too_long = refusal(ranges=[(first, first + 4)], count=2)
    for hold in ours:
        hold.close()
    assert f"no free port in {first}-{first + 3}: 4 of 4 taken (4 by this very environment)" in str(error)
    assert f"no 2 free ports in a row in {first}-{first + 4}: 4 of 5 taken" in str(too_long)
    assert "envspec ps" in error.hint


def claim_and_close(count: int) -> int:
    holds = claim("127.0.0.1", [(20000, 29999)], count=count + 1)
    for hold in holds:
        hold.close()
    return holds[0].number


def test_a_limit_below_the_range_is_said_to_leave_nothing() -> None:
    error = refusal(ranges=[(30000, 30009)], limit=20000)
    assert str(error) == "the range 30000-20000 is empty"
    assert "max" in error.hint


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "2001:db8::1"])
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(PortUnavailableError, match="is not an address of this machine"):
        claim(host, [])
    with pytest.raises(PortUnavailableError, match="is not an address of this machine"):
        claim(host, [], fixed=20000)


def outcome(code: str) -> str:
    """What a process without our privileges says."""
    script = f"""
import os, resource
from envspec.errors import PortUnavailableError
from envspec.leases import refusal
from envspec.leases.ports import claim
if os.getuid() == 0:
    os.setuid(65534)
try:
    {code}
except PortUnavailableError as error:
    print(error, "|", error.hint)
"""
    return subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout


def test_a_privileged_port_says_who_may_have_it() -> None:
    said = outcome("claim('127.0.0.1', [], fixed=80)")
    assert said.startswith("port 80 on 127.0.0.1 cannot be claimed: those below 1024 are for root")


def test_another_users_port_says_that_its_owner_cannot_be_seen() -> None:
    if os.getuid():
        pytest.skip("needs a second user, so root")
    with claim("127.0.0.1", [])[0] as hold:
        said = outcome(f"claim('127.0.0.1', [], fixed={hold.number})")
    assert "in use by a process of user root that cannot be seen from here" in said


def test_the_limit_of_open_files_is_given_as_a_figure() -> None:
    said = outcome("resource.setrlimit(resource.RLIMIT_NOFILE, (3, 128)); claim('127.0.0.1', [])")
    assert "each takes an open file, and this process may have 3" in said
    assert "the hard limit is 128" in said
