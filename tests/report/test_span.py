"""The last of what a service wrote, whatever it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from envspec.agent.linux import punch_hole
from envspec.report.bundle import Recorded, Run, write_bundle
from envspec.report.span import BYTES, LINES, written

SECRET = "hunter2hunter2"


def log(path: Path, content: bytes) -> str:
    (path / "x.log").write_bytes(content)
    return str(path / "x.log")


def test_what_came_before_is_not_shown(tmp_path: Path) -> None:
    assert written(log(tmp_path, b"before\nmeanwhile\n"), len(b"before\n"), ()) == "meanwhile\n"


def test_nothing_new_is_nothing(tmp_path: Path) -> None:
    assert written(log(tmp_path, b"before\n"), len(b"before\n"), ()) == ""
    assert written(str(tmp_path / "none.log"), 0, ()) == ""


def test_a_log_that_was_begun_anew_is_shown_from_its_beginning(tmp_path: Path) -> None:
    assert written(log(tmp_path, b"anew\n"), 1000, ()) == "anew\n"


def test_too_many_lines_are_cut_to_the_last(tmp_path: Path) -> None:
    shown = written(log(tmp_path, b"".join(b"%d\n" % number for number in range(LINES + 1))), 0, ())
    assert shown.splitlines()[0].startswith(f"… the last {LINES} lines of ")
    assert shown.splitlines()[1] == "1"


def test_too_many_bytes_are_cut_to_whole_lines(tmp_path: Path) -> None:
    shown = written(log(tmp_path, b"".join(b"%04d" % number + b"x" * 2000 + b"\n" for number in range(50))), 0, ())
    lines = shown.splitlines()[1:]
    assert len(shown.encode()) < BYTES + 200
    assert len(lines) > 10
    assert all(len(line) == 2004 for line in lines)
    assert lines[-1].startswith("0049")


def test_of_one_endless_line_the_end_is_shown(tmp_path: Path) -> None:
    shown = written(log(tmp_path, b"x" * 100_000 + b"end"), 0, ())
    assert shown.startswith("… the last line of 100 KB:\n")
    assert shown.endswith("xend\n")
    assert len(shown) < BYTES + 200


@pytest.mark.parametrize("before", range(0, 40, 3))
def test_no_part_of_a_secret_is_shown_where_the_cut_goes_through_it(tmp_path: Path, before: int) -> None:
    content = b"x" * before + SECRET.encode() * 1 + b"y" * (BYTES - before % len(SECRET) - 5)
    shown = written(log(tmp_path, content), 0, (SECRET,))
    assert not any(SECRET[start : start + 6] in shown for start in range(len(SECRET) - 6))


KEY = (
    "-----BEGIN-----\n"
    + "".join(f"{number:02d}MIIEvQIBADANBgkqhkiG9w0BAQEF\n" for number in range(20))
    + "-----END-----"
)


def test_no_half_of_a_secret_is_shown_that_was_being_written_as_the_test_began(tmp_path: Path) -> None:
    path = log(tmp_path, f"a {SECRET} and more\n".encode())
    for offset in range(len(f"a {SECRET}")):
        shown = written(path, offset, (SECRET,))
        assert "***" in shown
        assert "nter2" not in shown


def test_no_half_of_a_secret_is_shown_that_is_being_written(tmp_path: Path) -> None:
    for size in range(4, len(SECRET) + 1):
        assert written(log(tmp_path, f"a {SECRET[:size]}".encode()), 0, (SECRET,)) == "a ***\n"
    assert written(log(tmp_path, b"anti-hun"), 0, (SECRET,)) == "anti-hun\n"


def test_no_half_of_a_secret_is_shown_of_a_line_that_others_shorten(tmp_path: Path) -> None:
    filling = (SECRET * 10 + " ") * 10
    for more in range(len(SECRET)):
        content = SECRET + "x" * (BYTES - len(filling) - 4 + more) + filling
        shown = written(log(tmp_path, content.encode()), 0, (SECRET,))
        assert not any(SECRET[start : start + 4] in shown for start in range(len(SECRET) - 4))


@pytest.mark.parametrize("behind", range(0, len(KEY), 37))
def test_no_line_of_a_secret_is_shown_that_has_several(tmp_path: Path, behind: int) -> None:
    tail = "".join(f"{number:064d}\n" for number in range(BYTES // 65))
    path = log(tmp_path, f"{KEY}\n{tail}{'x' * (BYTES - len(tail) - behind - 2)}\n".encode())
    shown = written(path, 0, (KEY,))
    assert "MIIE" not in shown
    assert "END" not in shown


def test_what_is_left_of_a_secret_behind_what_was_punched_out_is_not_shown(tmp_path: Path) -> None:
    path = log(tmp_path, b"x" * (8192 - 7) + f"{SECRET} end\n".encode())
    descriptor = os.open(path, os.O_RDWR)
    try:
        punch_hole(descriptor, 0, 8192)
    finally:
        os.close(descriptor)
    run = Run(["pytest"], [Recorded("x-12345", "x", tmp_path, (SECRET,))], [], {})
    (tmp_path / "logs").mkdir()
    Path(path).rename(tmp_path / "logs" / "x.log")
    write_bundle(tmp_path / "told", run)

    kept = (tmp_path / "told" / "x-12345" / "logs" / "x.log").read_text()
    assert kept == "… its first 8192 bytes are no longer kept\n*** end\n"
    assert written(str(tmp_path / "logs" / "x.log"), 0, (SECRET,)).endswith("\n*** end\n")


def test_what_was_punched_out_is_passed_over(tmp_path: Path) -> None:
    path = log(tmp_path, b"x" * 8192 + b"\nend\n")
    descriptor = os.open(path, os.O_RDWR)
    try:
        punch_hole(descriptor, 0, 8192)
    finally:
        os.close(descriptor)
    assert "\x00" not in written(path, 0, ())
    assert "^@" not in written(path, 0, ())
    assert written(path, 0, ()).endswith("end\n")
