"""What bad input gets: one clear message, the right exit code, nothing left running."""

from __future__ import annotations

import ctypes
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HEAD = "version: 1\nservices:\n"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (HEAD + "  web: {comand: [x]}\n", "3:9", "comand"),
        (HEAD + "  web: {command: [x], replicas: many}\n", "3:33", "replicas"),
        (HEAD + '  web: {command: [x, "{{ services.api.ports.http }}"]}\n', "3:", "api"),
        (HEAD + '  web: {command: [x, "{{ vars.size }}"]}\n', "3:", "size"),
        (HEAD + "  web: {command: [x]}\n  web: {command: [y]}\n", "4:3", "web"),
        (HEAD + "  a: {command: [x], depends_on: [b]}\n  b: {command: [x], depends_on: [a]}\n", "3:", "a"),
        (HEAD + "  a: {command: [x], depends_on: {b: healthy}}\n  b: {command: [x]}\n", "3:", "healthy"),
    ],
    ids=["unknown-key", "wrong-type", "missing-reference", "undefined-var", "duplicate-key", "cycle", "no-validator"],
)
def test_a_wrong_file_starts_nothing(envspec: Any, text: str, place: str, message: str) -> None:
    file = envspec.write(text)
    result = envspec("up")
    first = next(line for line in result.stderr.splitlines() if "error[" in line)

    assert result.returncode == 2
    assert "runs as pid" not in result.stdout
    assert first.startswith(f"{file}:{place}")
    assert message in first
    assert "^" in result.stderr
    assert envspec.live == []


def test_a_fixed_port_that_is_taken_names_its_owner(envspec: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        envspec.write(HEAD + f"  web: {{command: [sleep, '60'], ports: {{http: {number}}}}}\n")
        result = envspec("up")

    assert result.returncode == 3
    assert str(number) in result.stderr
    assert f"pid {os.getpid()}" in result.stderr
    assert Path(sys.executable).name in result.stderr


def test_a_service_without_validators_that_exits_at_once_fails_the_start(envspec: Any) -> None:
    envspec.write(HEAD + "  web: {shell: 'echo bad flag; exit 7'}\n")
    result = envspec("up")

    assert result.returncode == 4
    assert "web exited with code 7" in result.stderr
    assert "bad flag" in result.stderr
    assert envspec.live == []


def test_a_command_that_does_not_exist_names_the_path_that_was_searched(envspec: Any, processes_of: Any) -> None:
    envspec.write(HEAD + "  web: {command: [no-such-engine]}\n  other: {command: [sleep, '60']}\n")
    result = envspec("up")

    assert result.returncode == 4
    assert "no-such-engine" in result.stderr.splitlines()[0]
    assert envspec.environ["PATH"].split(":")[-1] in result.stderr
    assert (result.stdout + result.stderr).count("PATH searched: ") == 1
    processes_of(envspec, gone=True)


def test_all_commands_that_do_not_exist_are_said_before_anything_starts(envspec: Any) -> None:
    envspec.write(
        HEAD
        + "  marks: {shell: touch started}\n"
        + "  web: {command: [no-such-engine], replicas: 2}\n"
        + "  other: {command: [/no/such-script]}\n"
        + "  lost: {command: [sleep, '60'], cwd: /no/such/place}\n"
    )
    result = envspec("up", "--keep-on-failure")

    assert result.returncode == 4
    sentence, _, first, second, third, *_ = result.stderr.splitlines()
    assert sentence == "error: 3 services cannot be started here"
    assert first.startswith("- web.0: command not found: no-such-engine, on PATH, ")
    assert first.endswith("local.yaml:4:3")
    assert second.startswith("- other: command not found: ")
    assert third.startswith("- lost: the working directory does not exist: /no/such/place, ")
    assert "starting" not in result.stdout
    assert not list(envspec.project.rglob("started"))


def test_a_command_that_a_task_makes_is_not_missed_before(envspec: Any) -> None:
    envspec.write(
        HEAD
        + f"  build: {{kind: task, shell: 'ln -s $(command -v sleep) {envspec.project}/made'}}\n"
        + f"  made: {{command: [{envspec.project}/made, '60'], depends_on: [build]}}\n"
    )
    assert envspec("up", "-d").returncode == 0
    assert envspec("down").returncode == 0


def test_what_this_host_lacks_is_said_whole_and_before_anything_starts(envspec: Any) -> None:
    envspec.write("version: 1\nrequires: {commands: [no-such-engine], env: [NO_SUCH_TOKEN]}\nservices: {}\n")
    result = envspec("up")

    assert (result.returncode, result.stdout) == (3, "")
    assert "no-such-engine" in result.stderr
    assert "NO_SUCH_TOKEN" in result.stderr


@pytest.mark.parametrize(
    ("shell", "message"),
    [
        ("echo its last words; exit 3", "exited with code 3"),
        ("exit 0", "exited with code 0"),
        ("kill -SEGV $$", "died of SIGSEGV"),
        ("sleep 600 & exit 4", "exited with code 4"),
        ("printf 'a\\033[2J\\000\\377\\n'; exit 5", "exited with code 5"),
    ],
    ids=["exits", "ends-well", "signal", "forks-and-exits", "binary"],
)
def test_a_service_that_ends_is_named_with_its_end(envspec: Any, processes_of: Any, shell: str, message: str) -> None:
    envspec.write(HEAD + f"  bad:\n    shell: |\n      {shell}\n    health: [{{exec: {{command: ['false']}}}}]\n")
    result = envspec("up")

    assert result.returncode == 4
    assert result.stderr.startswith(f"error: bad {message}")
    assert "\x1b" not in result.stderr
    assert "\x00" not in result.stderr
    processes_of(envspec, gone=True)


def test_a_service_that_never_gets_healthy_is_told_with_its_last_answer(envspec: Any, processes_of: Any) -> None:
    health = "health: [{exec: {shell: 'echo not today; exit 1'}}]"
    envspec.write(HEAD + f"  never: {{command: [sleep, '60'], start_timeout: 300ms, {health}}}\n")
    result = envspec("up")

    assert result.returncode == 4
    assert result.stderr.startswith("error: never did not become healthy within its start_timeout of 0.30 s")
    assert "not today" in result.stderr
    processes_of(envspec, gone=True)


def test_a_log_of_100_megabytes_hurts_nobody(envspec: Any, processes_of: Any) -> None:
    flood = "head -c 100000000 < <(yes abcdefghi); echo done; sleep 600"
    envspec.write(HEAD + f"  flood: {{shell: '{flood}', health: [{{log: {{match: done}}}}]}}\n")
    session = envspec.json("up", "-d")
    log = Path(session["services"][0]["log"])

    assert log.stat().st_size > 100_000_000
    assert log.stat().st_blocks * 512 < 80_000_000
    assert envspec("logs", "--tail", "1").stdout.endswith("done\n")
    envspec("down")
    processes_of(envspec, gone=True)


def test_a_service_that_ignores_term_is_killed_when_its_grace_is_over(envspec: Any, processes_of: Any) -> None:
    envspec.write(HEAD + "  deaf:\n    shell: trap '' TERM; sleep 600\n    stop: {timeout: 200ms}\n")
    up = envspec.start("up")
    up.until("stop  Ctrl-C")
    up.signal(signal.SIGINT)

    assert up.end() == 0
    assert "killed, its grace" in up.out
    processes_of(envspec, gone=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB, for which one must be root."""
    place = tmp_path / "disk"
    place.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", os.fsencode(place), b"tmpfs", 0, b"size=256k") != 0:
        pytest.skip(f"a tmpfs cannot be mounted here: {os.strerror(ctypes.get_errno())}")
    yield place
    libc.umount2(os.fsencode(place), 2)  # MNT_DETACH


def test_a_full_disk_under_the_state_directory(envspec: Any, web: str, small_disk: Path, processes_of: Any) -> None:
    envspec.write(web)
    result = envspec("up", ENVSPEC_STATE_DIR=str(small_disk))

    assert result.returncode == 3
    assert str(small_disk) in result.stderr
    assert "ENVSPEC_STATE_DIR" in result.stderr
    processes_of(envspec, gone=True)


@pytest.mark.parametrize(
    "argv", [["check"], ["list"], ["up"], ["up", "-d", "FILE"], ["show", "FILE"], ["models", "list"], ["init"]], ids=str
)
def test_a_working_directory_that_is_gone(envspec: Any, web: str, argv: list[str]) -> None:
    file = str(envspec.write(web))
    (envspec.project / "gone").mkdir()
    command = shlex.join([envspec.program, *[file if word == "FILE" else word for word in argv]])
    result = subprocess.run(
        ["sh", "-c", f"cd gone && rmdir ../gone && exec {command}"],
        cwd=envspec.project, env=envspec.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: the working directory is gone")
    assert envspec.live == []
