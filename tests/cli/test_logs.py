"""`envspec logs`: whole lines of one service or of several, as they come, and nothing a terminal would obey."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from envspec.cli.log_files import LogFiles
from envspec.cli.log_reader import LogReader
from envspec.session.log_chunk import LogChunk

TALKERS = r"""
version: 1
services:
  one:
    shell: "echo one says hello; sleep 600"
    health: [{log: {match: hello}}]
  two:
    shell: |
      printf 'bell\007 \033[31mred\033[0m \377 progress 1%%\rprogress 2%%\nbell\007 \033[31mred\033[0m \000\n'
      printf 'last without newline'
      sleep 600
    health: [{log: {match: without}}]
"""


def test_lines_of_several_services_say_whose_they_are_and_are_harmless(envspec: Any) -> None:
    envspec.write(TALKERS)
    envspec("up", "-d")

    assert envspec("logs").stdout.splitlines() == [
        "one │ one says hello",
        "two │ progress 2%",
        "two │ bell^G red ^@",
        "two │ last without newline",
    ]
    assert envspec("logs", "one").stdout == "one says hello\n"
    assert envspec("logs", "two", "--tail", "1").stdout == "last without newline\n"


def test_secrets_are_masked_also_in_another_shell(envspec: Any) -> None:
    envspec.write(
        "version: 1\nservices:\n"
        "  one: {shell: 'echo the token is $HF_TOKEN and the key $API_KEY; sleep 600',"
        " env: {API_KEY: key-of-the-file}, health: [{log: {match: token}}]}\n"
    )
    envspec("up", "-d", HF_TOKEN="hf_token_of_the_caller")

    assert envspec("logs").stdout == "the token is *** and the key ***\n"


def test_a_session_that_has_ended_can_still_be_read(envspec: Any) -> None:
    envspec.write(TALKERS)
    session = envspec.json("up", "-d")
    envspec("down")

    assert envspec("logs", "one").stdout == "one says hello\n"
    assert envspec("logs", "one", "--session", session["id"]).stdout == "one says hello\n"
    assert envspec("logs", "--session", "local", "one").stdout == "one says hello\n"


def test_a_name_that_is_not_there(pair: Any) -> None:
    result = pair("logs", "worke")

    assert result.returncode == 2
    assert "there is no service worke in the session pair-" in result.stderr
    assert "did you mean 'worker'?" in result.stderr


def test_a_service_means_all_its_replicas(pair: Any) -> None:
    prefixes = {line.split(" │ ")[0] for line in pair("logs", "worker").stdout.splitlines()}

    assert prefixes == {"worker.0", "worker.1"}


def test_follow_goes_on_across_a_restart_and_ends_with_the_session(envspec: Any) -> None:
    envspec.write(
        "version: 1\nservices:\n  s:\n    shell: 'echo start of $$; sleep 600'\n    health: [{log: {match: start}}]\n"
    )
    envspec("up", "-d")
    logs = envspec.start("logs", "-f")
    logs.until("start of")
    envspec("restart", "s")
    deadline = time.monotonic() + 30
    while logs.out.count("start of") < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    envspec("down")

    assert logs.end() == 0
    assert logs.out.count("start of") == 2


def test_ctrl_c_ends_following(pair: Any) -> None:
    logs = pair.start("logs", "-f", "front")
    logs.until("Serving HTTP")
    logs.signal(signal.SIGINT)

    assert logs.end() == 130
    assert "Traceback" not in logs.err


def test_following_ends_when_nobody_reads_it_any_more_though_nothing_more_is_written(pair: Any) -> None:
    logs = subprocess.Popen(
        [pair.program, "logs", "-f", "front"], cwd=pair.project, env=pair.environ, stdout=subprocess.PIPE
    )
    assert logs.stdout is not None
    assert b"Serving HTTP" in logs.stdout.readline()
    logs.stdout.close()

    assert logs.wait(30) == 0


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "s.log"


def reader(log: Path, tail: int | None = None) -> LogReader:
    return LogReader(LogFiles({"s": str(log)}), "s", tail)


@pytest.mark.parametrize("lines", [0, 1, 3, 4000, 5000])
def test_tail_finds_its_lines_however_far_back_they_are(log: Path, lines: int) -> None:
    log.write_text("".join(f"{number:0100}\n" for number in range(4000)))
    found = list(reader(log, lines).lines())

    assert len(found) == min(lines, 4000)
    assert found[-1:] == ([f"{3999:0100}"] if lines else [])


def test_a_line_comes_when_it_is_whole(log: Path) -> None:
    log.write_bytes(b"first\nsec")
    source = reader(log)

    assert list(source.lines()) == ["first"]

    with log.open("ab") as file:
        file.write(b"ond\nrest")

    assert list(source.lines()) == ["second"]
    assert list(source.last()) == ["rest"]


def test_megabytes_without_a_newline_are_shown_in_pieces(log: Path) -> None:
    log.write_bytes(b"x" * 1_000_000)
    source = reader(log)
    pieces = [*source.lines(), *source.last()]

    assert sum(map(len, pieces)) == 1_000_000
    assert len(pieces) > 10


def test_what_was_given_back_to_the_disk_is_left_out(log: Path) -> None:
    descriptor = os.open(log, os.O_RDWR | os.O_CREAT)
    os.ftruncate(descriptor, 1 << 20)
    os.pwrite(descriptor, b"after the hole\n", 1 << 20)
    os.close(descriptor)

    assert list(reader(log).lines()) == ["after the hole"]


def test_a_log_that_was_truncated_goes_on_from_its_begin(log: Path) -> None:
    told: list[str] = []
    log.write_text("first\nsec")
    source = LogReader(LogFiles({"s": str(log)}), "s", None, truncated=told.append)

    assert list(source.lines()) == ["first"]

    log.write_text("third\n")

    assert list(source.lines()) == ["sec", "third"]
    assert list(source.lines()) == []
    assert told == ["s"]


def test_follow_says_that_a_log_was_truncated(envspec: Any) -> None:
    envspec.write("version: 1\nservices:\n  s:\n    shell: 'echo up; sleep 600'\n    health: [{log: {match: up}}]\n")
    session = envspec.json("up", "-d")
    logs = envspec.start("logs", "-f")
    logs.until("up")
    os.truncate(session["services"][0]["log"], 0)
    logs.until("the log of s was truncated; it goes on from its begin")
    with Path(session["services"][0]["log"]).open("a") as written:
        written.write("down\n")
    logs.until("down")
    envspec("down")

    assert logs.end() == 0
    assert logs.out == "up\ndown\n"


class Endless:
    """The log of a service that has written more whenever one looks."""

    size = 100_000

    def log(self, _replica: str, offset: int, limit: int) -> LogChunk:
        self.size += 100_000
        return LogChunk(b"lots\n" * (limit // 5), offset, self.size)


def test_who_writes_without_pause_is_not_read_for_ever() -> None:
    endless = LogReader(Endless(), "s", None)
    once = sum(1 for _ in endless.lines())
    assert 40_000 <= once * 5 < 500_000
    assert next(endless.lines()) == "lots"


def test_a_log_of_which_nothing_is_there_is_empty(log: Path) -> None:
    log.touch()
    os.truncate(log, 1 << 20)

    assert list(reader(log).lines()) == []


def test_a_log_that_is_not_there_yet_is_empty(log: Path) -> None:
    source = reader(log, 10)

    assert list(source.lines()) == []

    log.write_text("now\n")

    assert list(source.lines()) == ["now"]
