"""What programs write, made fit for a terminal."""

from __future__ import annotations

import re

_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")


def harmless(text: str) -> str:
    """Return `text` with nothing in it that a terminal obeys.

    Escape sequences are dropped, other control characters stand as `^A`, or as Python writes them.
    """
    plain = _ESCAPE_SEQUENCE.sub("", text)
    # Nearly all lines are, and letter by letter takes twelve times as long.
    return plain if plain.replace("\t", "").isprintable() else "".join(map(_visible, plain))


def _visible(letter: str) -> str:
    if letter == "\t" or letter.isprintable() or letter == "\N{NO-BREAK SPACE}":
        return letter
    code = ord(letter)
    if code < 0x20 or code == 0x7F:
        return f"^{chr(code ^ 0x40)}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
