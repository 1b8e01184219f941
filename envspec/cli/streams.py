"""Standard streams as commands may rely on them: there, for any text, and given up where nobody can have it."""

from __future__ import annotations

import codecs
import errno
import os
import select
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TextIO

REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)
"""What a write to stdout says where its disk is full or broken, or its terminal is closed (EIO)."""


STAND_INS = {
    "●": "*", "○": "o", "◐": "~", "▲": "!", "✓": "+", "✗": "x", "‖": "=", "◆": "#", "·": ".",
    "│": "|", "─": "-", "━": "=", "→": "->", "←": "<-", "…": "...", "±": "+-", "µ": "u",
    **dict(zip("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\|/-\\|/", strict=True)),
}  # fmt: skip
"""What our own marks are in an encoding that has none of them, such as Latin-1. All but words' take one column too."""


def open_for_any_text() -> None:
    """Make stdout and stderr take any text, whatever the locale says, for a session may depend on what is written."""
    open_missing()
    codecs.register_error("envspec", _stood_in)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="envspec")


def _stood_in(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for the characters that an encoding lacks; escapes as JSON has them where we know nothing."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(STAND_INS.get(letter) or escaped(letter) for letter in lacking), error.end


def escaped(text: str) -> str:
    """Return text whose non-ASCII characters stand as JSON escapes them."""
    units = text.encode("utf-16-be", "surrogatepass")
    codes = (int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2))
    return "".join(chr(code) if code < 0x80 else f"\\u{code:04x}" for code in codes)


def is_utf8(stream: TextIO) -> bool:
    """Whether a stream takes text in UTF-8, as JSON has to be."""
    return codecs.lookup(stream.encoding or "utf-8").name == "utf-8"


def has_ellipsis(stream: TextIO) -> bool:
    """Whether `…` takes its one column on a stream, and not those of its stand-in."""
    try:
        "…".encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def open_missing() -> None:
    """Open /dev/null for each of the three streams that this process was started without (`envspec ps >&-`).

    Else the next file or socket would have the stream's number, and whoever writes to it would write there.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003  the system call has no keyword
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


def lost(error: BaseException) -> bool:
    """Whether `error` is a stream's that nobody reads any more, or that cannot take what is written.

    Files have their name in their errors.
    """
    if isinstance(error, BrokenPipeError):
        return True
    return isinstance(error, OSError) and error.filename is None and error.errno in REFUSED


@contextmanager
def as_far_as_possible() -> Iterator[None]:
    """While it is entered, write what changes nothing by not being read."""
    try:
        yield
    except OSError as error:
        if not lost(error):
            raise
        give_up_lost()


def give_up_lost() -> None:
    """Give up stdout or stderr where what it still holds cannot be written: of that Python would exit with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            give_up(stream.fileno())


def reader_leaves(number: int, seconds: float) -> bool:
    """Wait for so many seconds, or until nobody reads any more what is written to a descriptor; say whether that is."""
    poll = select.poll()
    poll.register(number, 0)  # POLLERR and POLLHUP come unasked: of a pipe without a reader, and a closed terminal
    return bool(poll.poll(seconds * 1000))


def is_closed_terminal(number: int) -> bool:
    """Whether a descriptor is of a terminal that was closed."""
    try:
        termios.tcgetattr(number)
    except termios.error as error:
        return bool(error.args[0] == errno.EIO)
    return False


def give_up(*streams: int) -> None:
    """Point streams at nothing, so that later writes, and the interpreter's own flush at exit, stay quiet."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in streams:
        os.dup2(nothing, number)
    os.close(nothing)
