"""`log` finds a line in a file that grows, is binary, floods, or has holes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from envspec.agent.linux import punch_hole
from envspec.health import build
from envspec.health.log import LINE_LIMIT, LogScanner


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "service.log"
    path.touch()
    return path


def add(log: Path, data: bytes) -> None:
    with log.open("ab") as file:
        file.write(data)


def test_a_line_that_comes_later_is_found(log: Path) -> None:
    scanner = LogScanner(str(log), 0, r"listening on \d+")
    assert scanner.scan() is None
    add(log, b"starting\n")
    assert scanner.scan() is None
    add(log, b"now listening on 8000 (pid 7)\r\n")
    assert scanner.scan() == "now listening on 8000 (pid 7)"


def test_lines_before_the_start_do_not_count(log: Path) -> None:
    add(log, b"ready\n")
    scanner = LogScanner(str(log), log.stat().st_size, "ready")
    assert scanner.scan() is None
    add(log, b"ready again\n")
    assert scanner.scan() == "ready again"


def test_a_line_written_in_pieces_is_matched_whole(log: Path) -> None:
    scanner = LogScanner(str(log), 0, "^port 80$")
    add(log, b"port 80")
    assert scanner.scan() is None  # more of it may come, and does
    add(log, b"80\nport 8")
    assert scanner.scan() is None
    add(log, b"0\n")
    assert scanner.scan() == "port 80"


def test_a_last_line_without_an_end_counts_once_nothing_follows(log: Path) -> None:
    scanner = LogScanner(str(log), 0, "ready>")
    add(log, b"ready> ")
    assert scanner.scan() is None
    assert scanner.scan() == "ready> "


def test_a_match_does_not_span_lines(log: Path) -> None:
    add(log, b"model\nloaded\n")
    assert LogScanner(str(log), 0, r"model\s+loaded").scan() is None


def test_binary_output_is_harmless(log: Path) -> None:
    add(log, bytes(range(256)) * 100 + b"\n\xff ready \x00\n")
    found = LogScanner(str(log), 0, "ready").scan()
    assert found is not None
    assert "ready" in found


def test_a_line_without_end_is_not_kept_whole(log: Path) -> None:
    scanner = LogScanner(str(log), 0, "ready")
    add(log, b"x" * (10 * LINE_LIMIT))
    assert scanner.scan() is None
    assert len(scanner._pending) <= LINE_LIMIT + 1
    add(log, b"\nready at last\n")
    assert scanner.scan() == "ready at last"


@pytest.mark.parametrize("length", [LINE_LIMIT, LINE_LIMIT + 1, 2 * LINE_LIMIT - 3, 5 * LINE_LIMIT + 7])
@pytest.mark.parametrize("pieces", [1, 3])
def test_of_a_long_line_the_beginning_and_the_end_are_looked_at(log: Path, length: int, pieces: int) -> None:
    line = b"first " + b"x" * length + b" last"
    first, last, only = (LogScanner(str(log), 0, match) for match in ("^first", "x last$", "^x"))
    size = len(line) // pieces + 1
    for piece in (line[at : at + size] for at in range(0, len(line), size)):
        add(log, piece)
        for scanner in (first, last, only):
            scanner.scan()
    assert first.scan() is not None
    add(log, b"\n")
    assert last.scan() == "… x last"
    assert only.scan() is None, "the end does not begin the line"


def test_the_end_of_a_long_line_counts_once_nothing_follows(log: Path) -> None:
    add(log, b"." * (4 * LINE_LIMIT) + b"ready>")
    scanner = LogScanner(str(log), 0, "ready>")
    assert scanner.scan() is None
    assert scanner.scan() == "… ready>"


def test_an_unfinished_line_is_looked_at_once(log: Path) -> None:
    add(log, b"ready?")
    scanner = LogScanner(str(log), 0, "ready!")
    for _ in range(3):
        scanner.scan()
    assert scanner.looks == 1


def test_one_scan_of_a_flood_is_bounded_and_goes_on_where_it_stopped(log: Path) -> None:
    add(log, b"noise\n" * 100_000 + b"ready\n")
    scanner = LogScanner(str(log), 0, "ready")
    scans = 0
    while (found := scanner.scan(limit=100_000)) is None:
        assert scanner.behind
        scans += 1
    assert found == "ready"
    assert scans == 6


def test_a_hole_punched_by_the_agent_is_passed_over(log: Path) -> None:
    add(log, b"old\n" * 2**18 + b"ready\n")
    descriptor = os.open(log, os.O_RDWR)
    try:
        punch_hole(descriptor, 0, 2**20)
    finally:
        os.close(descriptor)
    scanner = LogScanner(str(log), 0, "ready|\x00")
    assert scanner.scan(limit=2**17) == "ready"


def test_the_validator_says_what_it_waits_for_and_then_what_it_found(log: Path, context: Any) -> None:
    asked = context(log=str(log))
    validator = build("log", {"match": "ready"})
    assert validator.probe(asked).text == "no line matches 'ready' yet"
    add(log, b"I am ready\n")
    for _ in range(2):  # asked again by `liveness`, it has not become unhealthy
        answer = validator.probe(asked)
        assert answer.passed
        assert answer.text == "I am ready"


def test_a_log_that_does_not_exist_yet_is_empty(tmp_path: Path) -> None:
    assert LogScanner(str(tmp_path / "none"), 0, "x").scan() is None
