"""Sizes as people read them: three digits that matter, in the units of downloads."""

from __future__ import annotations

import pytest

from envspec.units import format_size


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 KB"),
        (9994, "9.99 KB"),
        (9996, "10.0 KB"),
        (99_960, "100 KB"),
        (999_499, "999 KB"),
        (999_500, "1.00 MB"),
        (1_234_567_890, "1.23 GB"),
        (5 * 10**12, "5.00 TB"),
    ],
)
def test_a_size_has_three_digits_that_matter(size: int, text: str) -> None:
    assert format_size(size) == text
