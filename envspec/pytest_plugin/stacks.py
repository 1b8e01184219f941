"""Where a test is that does not end: the lines of its own, and not those of what runs it or of what it calls."""

from __future__ import annotations

import os
import sys
import sysconfig
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from traceback import FrameSummary

import envspec
from envspec.pytest_plugin.interrupt import PLUGGY, PYTEST

LIBRARIES = tuple(f"{sysconfig.get_path(name)}{os.sep}" for name in ("stdlib", "platstdlib", "purelib", "platlib"))
ENVSPEC = f"{Path(envspec.__file__).parent}{os.sep}"
INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
"""In the path of what was installed, wherever that is."""


def stacks() -> str:
    """Return where every thread is that runs something of the test's own, the main thread first.

    Where the main thread runs nothing of that kind, as in a fixture of an installed plugin, it is shown nevertheless.
    """
    frames = sys._current_frames()  # noqa: SLF001  documented, for exactly this
    threads = sorted(threading.enumerate(), key=lambda thread: thread is not threading.main_thread())
    shown = []
    for thread in threads:
        stack = traceback.extract_stack(frames[thread.ident]) if thread.ident in frames else []
        if lines := _own(stack) or (_innermost(stack) if thread is threading.main_thread() else []):
            shown.append(f"thread {thread.name}:\n{''.join(traceback.format_list(lines))}")
    return "\n".join(shown)


def _own(stack: Sequence[FrameSummary]) -> list[FrameSummary]:
    """Return the test's own frames: neither of a library nor of the program that has called pytest."""
    first = next((place for place, frame in enumerate(stack) if _is_of_pytest(frame)), 0)
    return [frame for frame in stack[first:] if not _is_of_a_library(frame.filename)]


def _innermost(stack: Sequence[FrameSummary]) -> list[FrameSummary]:
    """Return what pytest has called last, whoever's that is."""
    last = max((place for place, frame in enumerate(stack) if _is_of_pytest(frame)), default=-1)
    return list(stack[last + 1 :])


def _is_of_pytest(frame: FrameSummary) -> bool:
    return frame.filename.startswith((PYTEST, PLUGGY))


def _is_of_a_library(file: str) -> bool:
    return file.startswith((*LIBRARIES, ENVSPEC, "<")) or any(part in file for part in INSTALLED)
