"""Lines of text: aligned, cut to the terminal, and harmless whatever a service wrote."""

from __future__ import annotations

import pytest

from envspec.report.text import ansi, clip, columns, line, line_width, one_line, plain
from envspec.session.harmless import harmless


def test_columns_stand_under_one_another_and_end_without_blanks() -> None:
    rows = [[("etcd", ""), ("9", ""), ("x", "")], [("frontend", ""), ("10", ""), ("", "")]]

    assert plain(columns(rows, right=frozenset({1}))) == "etcd       9  x\nfrontend  10\n"


def test_a_column_that_is_empty_everywhere_is_left_out() -> None:
    assert plain(columns([[("a", ""), ("", ""), ("b", "")], [("c", ""), ("", ""), ("d", "")]])) == "a  b\nc  d\n"


def test_wide_letters_take_two_columns() -> None:
    assert plain(columns([[("漢字", ""), ("x", "")], [("abcd", ""), ("y", "")]])) == "漢字  x\nabcd  y\n"


@pytest.mark.parametrize("limit", range(2, 14))
def test_a_line_is_never_longer_than_the_terminal(limit: int) -> None:
    assert line_width(clip(line("etcd ", ("漢字 healthy", "green")), limit)) <= limit


def test_a_line_that_was_cut_says_so() -> None:
    assert plain([clip(line("abcdef"), 4)]) == "abc…\n"
    assert plain([clip(line("abcd"), 4)]) == "abcd\n"


def test_styles_become_colours_and_are_closed() -> None:
    assert ansi([line(("no", "bold red"), " plain")]) == "\x1b[1;31mno\x1b[0m plain\n"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b[2J\x1b[Hgone", "gone"),
        ("bell\x07 nul\x00 del\x7f", "bell^G nul^@ del^?"),
        ("c1 \x9b31m", "c1 \\x9b31m"),
        ("right-to-left \u202e", "right-to-left \\u202e"),
        ("ü 漢 ✓\ttab", "ü 漢 ✓\ttab"),
        ("lone \x1b", "lone ^["),
    ],
)
def test_what_a_terminal_would_obey_is_made_visible(written: str, shown: str) -> None:
    assert harmless(written) == shown


def test_an_answer_of_several_lines_fits_in_one() -> None:
    assert one_line("HTTP 503\r\n  body\n") == "HTTP 503 body"
