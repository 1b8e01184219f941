"""From a place inside a scalar's text back to the place in the file.

YAML folds lines, strips indentation and resolves escapes on the way to the text. What it never does is drop, add or
reorder anything but white space: so the n-th visible character of the text is the n-th one that the file writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from envspec.spec.nodes import Mark, Scalar

_BLOCK_HEADER = re.compile(r"[|>][^\n]*")
_ESCAPE = re.compile(r"\\(x..|u....|U.{8}|.)", re.DOTALL)
_WHITE_ESCAPES = frozenset("tnvfr N_LP\t\n\r")


def place(scalar: Scalar, offset: int) -> Mark:
    """Return where the character at `offset` of the scalar's text stands in its file.

    A scalar that no file holds, or an offset at white space, gives the nearest place before.
    """
    wanted = sum(not character.isspace() for character in scalar.text[:offset])
    index = 0
    for count, visible in enumerate(_visible(scalar.written)):
        index = visible
        if count == wanted:
            break
    before = scalar.written[:index]
    if "\n" not in before:
        return Mark(scalar.mark.file, scalar.mark.line, scalar.mark.column + index)
    return Mark(scalar.mark.file, scalar.mark.line + before.count("\n"), index - before.rfind("\n"))


def _visible(written: str) -> Iterator[int]:
    """Yield where each character that is not white space is written."""
    style = written[:1]
    if style == '"':
        return _in_double_quotes(written)
    if style in ("|", ">"):
        header = _BLOCK_HEADER.match(written)
        return _not_white(written, header.end() if header else 0)
    if style == "'":
        return _in_single_quotes(written)
    return _not_white(written, 0)


def _not_white(written: str, start: int) -> Iterator[int]:
    return (index for index in range(start, len(written)) if not written[index].isspace())


def _in_single_quotes(written: str) -> Iterator[int]:
    index = 1
    while index < len(written) - 1:
        if not written[index].isspace():
            yield index
        # Within single quotes a quote is written twice, and is no end.
        index += 2 if written[index] == "'" else 1


def _in_double_quotes(written: str) -> Iterator[int]:
    index = 1
    while index < len(written) - 1:
        escape = _ESCAPE.match(written, index)
        if escape is None:
            # Line breaks among them are folded, and white space before and after them is dropped.
            if not written[index].isspace():
                yield index
            index += 1
            continue
        if not _is_white(escape[1]):
            yield index
        index = escape.end()


def _is_white(escape: str) -> bool:
    return chr(int(escape[1:], 16)).isspace() if len(escape) > 1 else escape in _WHITE_ESCAPES
