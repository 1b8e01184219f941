"""Standard streams as commands may rely on them: there, and given up where nobody can have what is written."""

from __future__ import annotations

import errno
import os
import sys
import termios

REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)
"""What a write to stdout says where its disk is full or broken, or its terminal is closed (EIO)."""


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


def refused(error: BaseException) -> bool:
    """Whether `error` is a stream's that cannot take what is written. Files have their name in their errors."""
    return isinstance(error, OSError) and error.filename is None and error.errno in REFUSED


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
