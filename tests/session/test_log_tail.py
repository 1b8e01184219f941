"""The last lines of a log, whatever bytes a program wrote."""

from __future__ import annotations

import pytest

from envspec.session.log_tail import LINES, LONGEST_LINE, tail


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"", ()),
        (b"one\ntwo\n", ("one", "two")),
        (b"no newline at the end", ("no newline at the end",)),
        (b"windows\r\nlines\r\n", ("windows", "lines")),
        (b"10%\r50%\r100%\ndone\n", ("100%", "done")),
        (b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07text\n", ("red text",)),
        (b"bell \x07 null \x00 high \x9b\n", ("bell ^G null ^@ high \N{REPLACEMENT CHARACTER}",)),
        ("tab\there, umlaut ü, hidden \u200b\u202e\n".encode(), ("tab\there, umlaut ü, hidden \\u200b\\u202e",)),
        (b"\xff\xfe\xfd\n", ("\N{REPLACEMENT CHARACTER}" * 3,)),
    ],
)
def test_what_a_terminal_would_obey_is_spelt_out(written: bytes, shown: tuple[str, ...]) -> None:
    assert tail(written, str, whole=True) == shown


def test_only_the_last_lines_are_kept() -> None:
    lines = tail(b"".join(b"line %d\n" % number for number in range(100)), str, whole=True)
    assert lines == tuple(f"line {number}" for number in range(100 - LINES, 100))


def test_a_first_line_that_is_cut_is_left_out_unless_there_is_no_other() -> None:
    assert tail(b"alf a line\nwhole\n", str, whole=False) == ("whole",)


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_of_a_line_whose_beginning_is_cut_the_end_is_shown(end: bytes) -> None:
    assert tail(b"x" * 10_000 + b": out of memory" + end, str, whole=False) == (
        "… " + "x" * (LONGEST_LINE - len(": out of memory")) + ": out of memory",
    )


def test_a_line_of_a_megabyte_says_how_long_it_is() -> None:
    (line,) = tail(b"x" * 10_000, str, whole=True)
    assert line == "x" * LONGEST_LINE + " … (10000 characters)"


def test_no_half_of_a_secret_is_left_where_a_line_is_cut() -> None:
    def redact(text: str) -> str:
        return text.replace("s3cr3t-of-mine", "***")

    written = b"x" * (LONGEST_LINE - 5) + b"s3cr3t-of-mine and more"
    (line,) = tail(written, redact, whole=True)
    assert "s3cr3" not in line
    assert "***" in line
