"""Writing to the terminal: colours where they are wanted, plain text and JSON where not."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from envspec.cli import streams
from envspec.report.text import Line, ansi, clip, plain
from envspec.session.harmless import harmless

UNBOUNDED = 10_000
"""Columns of something that is not a terminal: lines are never cut there."""


def coloured(stream: TextIO) -> bool:
    """Whether `stream` is a terminal that wants colours (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def size(stream: TextIO, otherwise: int = UNBOUNDED) -> tuple[int, int]:
    """Return the columns and lines of the terminal behind `stream`; `otherwise` columns where there is none."""
    if not stream.isatty():
        return otherwise, UNBOUNDED
    columns, lines = os.get_terminal_size(stream.fileno())
    # What is cut ends in `…`, and needs more room where that is written with three dots.
    return (columns or 80) - (0 if streams.has_ellipsis(stream) else 2), lines or 24


def show(lines: Iterable[Line], stream: TextIO | None = None, *, cut: bool = False) -> None:
    """Write lines to `stream` (stdout), with colours where it wants them, at once; `cut` to a terminal's width."""
    out = sys.stdout if stream is None else stream
    single = map(_single, lines)
    fitting = [clip(item, size(out)[0]) for item in single] if cut else single
    out.write(ansi(fitting) if coloured(out) else plain(fitting))
    out.flush()


def _single(item: Line) -> Line:
    """Return a line as one, though a name in it have a newline."""
    return tuple((harmless(text), style) if "\n" in text else (text, style) for text, style in item)


def show_json(data: Any) -> None:
    """Write one JSON document to stdout."""
    import json

    write_json(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def write_json(text: str) -> None:
    """Write JSON to stdout, which is the same in every encoding: it has to be UTF-8 (RFC 8259, section 8.1)."""
    sys.stdout.write(text if streams.is_utf8(sys.stdout) else streams.escaped(text))
    sys.stdout.flush()


def show_yaml(data: Any) -> None:
    """Write one YAML document to stdout, in the order of the data; a list of words takes one line, as commands do."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Repeats what stands twice, instead of `&id001`."""

        def ignore_aliases(self, _data: Any) -> bool:
            return True

    def represent_list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.SequenceNode:
        words = all(isinstance(item, str | int | float) for item in items)
        return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=words)

    Dumper.add_representer(list, represent_list)
    sys.stdout.write(
        yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=streams.is_utf8(sys.stdout), width=120)
    )
    sys.stdout.flush()
