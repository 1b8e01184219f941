"""What happens when envspec itself is wrong: a file that can be pasted into an issue, and one sentence."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import envspec
from envspec.plan.redact import redacted, secrets_of
from envspec.session.state import state_directory

KEPT_REPORTS = 5
PACKAGES = ("click", "jinja2", "psutil", "pydantic", "pyyaml", "requests", "rich")


def report_bug(error: Exception, argv: Sequence[str]) -> str:
    """Write the report, without secrets, and return the sentence that says where it is."""
    text = redacted(_report(error, argv), secrets_of([os.environ]))
    what = f"envspec: internal error: {type(error).__name__}: {redacted(str(error), secrets_of([os.environ]))}"
    try:
        path = _kept(text)
    except OSError as unwritable:
        return f"{text}\n{what}\nThis is a bug in envspec; please report the text above ({unwritable.strerror})."
    return f"{what}\nThis is a bug in envspec; please report it with what stands in {path}"


def _kept(text: str) -> Path:
    """Write a report to the state directory, of which only the last few are kept, and return its path."""
    folder = state_directory() / "bugs"
    for part in (folder.parent, folder):  # the mode is only the last part's
        part.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f"{time.time_ns()}-", suffix=".md", dir=folder)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    for old in sorted(folder.glob("*.md"))[:-KEPT_REPORTS]:
        old.unlink(missing_ok=True)
    return Path(name)


def _report(error: Exception, argv: Sequence[str]) -> str:
    trace = "".join(traceback.format_exception(error))
    return (
        f"### envspec {envspec.__version__}: internal error\n\n"
        f"command: `{shlex.join(['envspec', *argv])}`\n"
        f"python: {platform.python_version()} ({sys.executable})\n"
        f"system: {platform.platform()}\n"
        f"packages: {', '.join(f'{name} {_version(name)}' for name in PACKAGES)}\n\n"
        f"```\n{trace}```\n"
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"
