"""Where the processes of an xdist run meet: a directory that the controller names and whoever needs it first makes.

The controller collects no tests, so it cannot know whether any of them wants an environment. Its workers leave word
here before it hears that they have collected, and only then does it open a socket; most runs never make the directory.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from shutil import rmtree

from envspec.pytest_plugin.wanted import Groups, Wanted
from envspec.session.unix_socket import connect

BROKER = "broker.sock"
PREFIX = "envspec-xdist-"
"""How the directory's name begins, as in envspec.pytest_plugin, which imports nothing."""
NEW = 60.0
"""Seconds for which a directory is left alone: its controller may be about to listen."""


def leave_word(directory: Path, worker: str, groups: Groups) -> None:
    """Write down what the tests of a worker want."""
    directory.mkdir(mode=0o700, exist_ok=True)
    kinds = list(dict.fromkeys(groups.values()))
    tests = {test: kinds.index(wanted) for test, wanted in groups.items()}
    (directory / f"{worker}.json").write_text(json.dumps({"kinds": kinds, "tests": tests}), encoding="utf-8")


def word_of(directory: str, worker: str) -> Groups:
    """Read what the tests of a worker want; nothing where it left no word."""
    try:
        word = json.loads(Path(directory, f"{worker}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    kinds = [tuple(Wanted(*wanted) for wanted in kind) for kind in word["kinds"]]
    return {test: kinds[kind] for test, kind in word["tests"].items()}


def sweep(directory: Path) -> None:
    """Remove the directories that runs left which were killed with all their workers; `directory` is our own."""
    with suppress(OSError):
        for other in directory.parent.glob(f"{PREFIX}*"):
            if other != directory and _is_left(other):
                rmtree(other, ignore_errors=True)


def _is_left(directory: Path) -> bool:
    try:
        status = directory.lstat()
        if status.st_uid != os.getuid() or time.time() - status.st_mtime < NEW:
            return False
        connect(directory / BROKER).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False
