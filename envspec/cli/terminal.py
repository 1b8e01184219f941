"""Writing to the terminal: colours where they are wanted, plain text and JSON where not."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from envspec.report.text import Line, ansi, plain

UNBOUNDED = 10_000
"""Columns of something that is not a terminal: lines are never cut there."""


def coloured(stream: TextIO) -> bool:
    """Whether `stream` is a terminal that wants colours (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def size(stream: TextIO) -> tuple[int, int]:
    """Return the columns and lines of the terminal behind `stream`."""
    if not stream.isatty():
        return UNBOUNDED, UNBOUNDED
    columns, lines = os.get_terminal_size(stream.fileno())
    return columns or 80, lines or 24


def show(lines: Iterable[Line], stream: TextIO | None = None) -> None:
    """Write lines to `stream` (stdout), with colours where it wants them, at once."""
    out = sys.stdout if stream is None else stream
    out.write(ansi(lines) if coloured(out) else plain(lines))
    out.flush()


def show_json(data: Any) -> None:
    """Write one JSON document to stdout."""
    import json

    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()
