"""Lines of styled text: what every drawing is made of.

A line is a tuple of (text, style) pairs; styles are words that rich knows ("bold red"). The same line becomes plain
text, text with ANSI colours, or rich's `Text.assemble(*line)`, so a picture is drawn once for terminals, pipes and
tests, and commands that only print need not import rich.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from envspec.session.harmless import harmless

Span = tuple[str, str]
Line = tuple[Span, ...]

BLANK: Line = ()

# SGR parameters by the words that rich uses (ECMA-48, table of SELECT GRAPHIC RENDITION).
SGR = {
    "bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "magenta": "35", "cyan": "36",
}  # fmt: skip


def width(text: str) -> int:
    """Return how many columns of a terminal `text` takes: wide East Asian characters take two."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def line_width(line: Line) -> int:
    """Return how many columns a line takes."""
    return sum(width(text) for text, _ in line)


def line(*parts: Span | str) -> Line:
    """Build a line; a bare string is a span without style."""
    return tuple((part, "") if isinstance(part, str) else part for part in parts)


def columns(rows: Sequence[Sequence[Span]], *, right: frozenset[int] = frozenset(), gap: int = 2) -> list[Line]:
    """Align rows of cells, those of the columns in `right` on their right; nothing ends in blanks.

    Columns that are empty in every row are left out.
    """
    count = max((len(row) for row in rows), default=0)
    widths = [max((width(row[i][0]) for row in rows if i < len(row)), default=0) for i in range(count)]
    return [_trimmed(_aligned(row, widths, right, gap)) for row in rows]


def _aligned(row: Sequence[Span], widths: Sequence[int], right: frozenset[int], gap: int) -> Line:
    spans: list[Span] = []
    for index, (text, style) in enumerate(row):
        padding = " " * (widths[index] - width(text))
        if widths[index] == 0:
            continue
        if spans:
            spans.append((" " * gap, ""))
        spans += [(padding, ""), (text, style)] if index in right else [(text, style), (padding, "")]
    return tuple(span for span in spans if span[0])


def _trimmed(item: Line) -> Line:
    while item and not item[-1][0].strip():
        item = item[:-1]
    return item


def indent(lines: Iterable[Line], by: int = 2) -> list[Line]:
    """Move lines to the right; blank ones stay blank."""
    return [((" " * by, ""), *item) if item else item for item in lines]


def clip(item: Line, limit: int) -> Line:
    """Cut a line to `limit` columns; what was cut is shown as `…`."""
    if line_width(item) <= limit:
        return item
    kept: list[Span] = []
    left = limit - 1
    for text, style in item:
        part = _first_columns(text, left)
        kept.append((part, style))
        left -= width(part)
        if part != text:
            break
    return (*kept, ("…", "dim"))


def shortened(name: str, limit: int) -> str:
    """Return a name within `limit` columns, cut in its middle: what tells names apart often stands at their end."""
    if width(name) <= limit:
        return name
    tail = (limit - 1) // 2
    return f"{name[: limit - 1 - tail]}…{name[len(name) - tail :]}"


def _first_columns(text: str, limit: int) -> str:
    if text.isascii():
        return text[: max(0, limit)]
    used = 0
    for index, letter in enumerate(text):
        used += width(letter)
        if used > limit:
            return text[:index]
    return text


def plain(lines: Iterable[Line]) -> str:
    """Return lines as text without styles, each ended by a newline."""
    return "".join("".join(text for text, _ in item).rstrip() + "\n" for item in lines)


def ansi(lines: Iterable[Line]) -> str:
    """Return lines as text with ANSI colours, each ended by a newline."""
    return "".join("".join(_coloured(span) for span in item) + "\n" for item in lines)


def _coloured(span: Span) -> str:
    text, style = span
    codes = ";".join(SGR[word] for word in style.split())
    return f"\x1b[{codes}m{text}\x1b[0m" if codes else text


_SGR_SEQUENCE = re.compile(r"\x1b\[[0-9;]*m")


def first_line(text: str) -> str:
    """Return the first line of `text`, harmless: of an error, what happened, without the facts."""
    return harmless(text.partition("\n")[0])


def one_line(text: str) -> str:
    """Return `text` harmless and on a single line."""
    return harmless(" ".join(text.split()))
