"""The system calls that the standard library does not have."""

from __future__ import annotations

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
_libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]

# From <linux/prctl.h> and <linux/falloc.h>.
PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36
FALLOC_FL_KEEP_SIZE = 1
FALLOC_FL_PUNCH_HOLE = 2


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def become_subreaper() -> None:
    """Let orphans among our descendants come to us instead of to init, however they daemonised."""
    _check(_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send us `signal_number` when the thread that forked us ends. Gone after a fork or setuid."""
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0))


def name_process(name: str) -> None:
    """Let `ps`, `top` and the kernel's messages call us `name`, of which they keep 15 bytes."""
    text = ctypes.create_string_buffer(name.encode())
    _check(_libc.prctl(PR_SET_NAME, ctypes.addressof(text), 0, 0, 0))


def punch_hole(descriptor: int, offset: int, length: int) -> None:
    """Give a file's blocks back to the disk; its size and the offsets of what follows stay.

    Raises:
        OSError: the file system cannot (EOPNOTSUPP).
    """
    _check(_libc.fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length))
