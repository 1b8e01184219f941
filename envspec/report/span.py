"""What a service wrote from a certain moment on, fit to be shown: the last of it, without secrets."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from envspec.plan.redact import redacted
from envspec.report.masking import longest, masked
from envspec.session.harmless import harmless
from envspec.units import format_size

LINES = 100
BYTES = 32 * 1024
"""What is shown of one service at most, the latest: more is read in the log itself."""


def written(path: str, offset: int, secrets: tuple[str, ...]) -> str:
    """Return the last lines of a log of what was written after `offset`; empty where there is nothing.

    A log that has become shorter was begun anew. What comes first says how much is left out.
    """
    try:
        with Path(path).open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            begin = offset if offset <= size else 0
            data, at = _last(file.fileno(), begin, size, secrets)
    except OSError:
        return ""
    if not data:
        return ""
    lines = _clean(data.decode(errors="replace"), secrets).splitlines()
    if at > begin and len(lines) > 1:
        del lines[0]  # it is not whole
    kept = _within(lines)
    left_out = at > begin or len(kept) < len(lines)
    shown = "\n".join(kept)
    if not left_out:
        return f"{shown}\n"
    lines_kept = "line" if len(kept) == 1 else f"{len(kept)} lines"
    return f"… the last {lines_kept} of {format_size(size - begin)}:\n{shown}\n"


def _last(descriptor: int, begin: int, end: int, secrets: tuple[str, ...]) -> tuple[bytes, int]:
    """Return the last bytes, without secrets, and where they begin: what was punched out is passed over."""
    at = max(begin, end - BYTES)
    first = max(0, at - longest(secrets))
    with suppress(OSError):  # there is no data behind it, or the file system knows no holes
        first = min(end, os.lseek(descriptor, first, os.SEEK_DATA))
    at = max(at, first)
    data = os.pread(descriptor, end - first, first)
    return masked(data, secrets, begin=at - first, torn=first > 0), at


def _clean(text: str, secrets: tuple[str, ...]) -> str:
    """Leave out what a terminal obeys, and mask secrets, also those that such things stood between."""
    # A carriage return starts the line anew (progress bars); only what was left to be seen counts.
    text = redacted(text.replace("\r\n", "\n"), secrets)
    lines = [harmless(line.rpartition("\r")[2]) for line in text.split("\n")]
    cleaned: str = redacted("\n".join(lines), secrets)
    return cleaned


def _within(lines: list[str]) -> list[str]:
    kept: list[str] = []
    room = BYTES
    for line in reversed(lines[-LINES:]):
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.append(line)
    if not kept and lines:
        kept = [f"… {lines[-1].encode()[-BYTES:].decode(errors='ignore')}"]
    return kept[::-1]
