"""Of what this host has, whether it still is the same: programs, their interpreters and packages, files that they read.

Each is a short text that changes when the thing does. Programs and packages are told by size, time and inode, not by
content: an engine's binary takes a second to read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from envspec.agent.program import DEFAULT_PATH, SpawnError, find_program
from envspec.plan.identity import digest

READ_WHOLE = 2**20
"""Bytes up to which a file is known by its content."""
SHEBANG = 256
"""Bytes of a script's first line that the kernel reads (BINPRM_BUF_SIZE)."""
WRITTEN_TO = re.compile(r">+\s*[^\s;|&<>()]+")
GONE = "(not there)"
PACKAGES = (
    *("lib/python3*/site-packages", "lib64/python3*/site-packages"),
    *("lib/python3/dist-packages", "local/lib/python3*/dist-packages"),
)
"""Where packages are, below the prefix of a Python; the last two are Debian's."""


def program(name: str, env: Mapping[str, str], cwd: str) -> dict[str, str]:
    """Return what a command is: `program` and, where these count, its `interpreter` and Python `packages`.

    Each is where it is, and under a key of its own, whether that was changed.
    """
    try:
        found = Path(find_program(name, env.get("PATH", DEFAULT_PATH), cwd))
    except SpawnError:
        return {"program": GONE}
    told = _told("program", found)
    interpreter = _interpreter(found, env, cwd)
    if interpreter is not None:
        told |= _told("interpreter", interpreter)
    python = interpreter or found
    if re.fullmatch(r"(?:python|pypy)[0-9.]*", python.name):
        told |= {f"packages {folder}": _stamp(folder) for folder in _packages(python)}
    return told


def _interpreter(script: Path, env: Mapping[str, str], cwd: str) -> Path | None:
    """Return the program that runs a script; None for what the kernel runs by itself."""
    try:
        with script.open("rb") as file:
            line = file.read(SHEBANG).partition(b"\n")[0]
    except OSError:
        return None
    words = line[2:].decode(errors="replace").split() if line.startswith(b"#!") else []
    if words and Path(words[0]).name == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
    if not words:
        return None
    try:
        return Path(find_program(words[0], env.get("PATH", DEFAULT_PATH), cwd))
    except SpawnError:
        return Path(words[0])


def _packages(python: Path) -> Iterator[Path]:
    """Yield the directories whose times change when something is installed for this Python."""
    # Not resolved: the Python of a virtual environment is a link to one that has other packages.
    own = python.parent.parent
    prefix = own if (own / "pyvenv.cfg").exists() else python.resolve().parent.parent
    for pattern in PACKAGES:
        yield from sorted(place for place in prefix.glob(pattern) if not place.parent.parent.is_symlink())


def _told(what: str, path: Path) -> dict[str, str]:
    real = path.resolve()
    return {what: f"{path} → {real}" if real != path else str(path), f"{what}.file": _stamp(path)}


def _stamp(path: Path) -> str:
    try:
        stat = path.stat()
    except OSError:
        return GONE
    size = f"{stat.st_size} bytes, " if not path.is_dir() else ""
    return f"{size}changed {_seconds(stat)}, inode {stat.st_ino}"


def _seconds(stat: os.stat_result) -> str:
    return f"{stat.st_mtime_ns // 10**9}.{stat.st_mtime_ns % 10**9:09}"


def file(path: Path) -> str:
    """Return what a file holds: a digest up to a mebibyte, size and time beyond."""
    try:
        stat = path.stat()
        if stat.st_size > READ_WHOLE:
            return f"{stat.st_size} bytes, changed {_seconds(stat)}"
        return f"{stat.st_size} bytes, {digest(path.read_bytes())}"
    except OSError:
        return GONE


def tree(path: Path) -> str:
    """Return what a directory holds, or a single file, by names, sizes and times: models are large."""
    try:
        files = [path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file())
        stats = [(str(item.relative_to(path)), item.stat()) for item in files]
    except OSError:
        return GONE
    listing = "\n".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats)
    return f"{len(files)} files, {digest(listing)}" if files else GONE


def named_files(words: tuple[str, ...], cwd: str) -> Iterator[Path]:
    """Yield the files that the words of a command name, also behind an `=`; relative ones count from `cwd`.

    In a script, as `bash -c` gets it, each of its words is looked at, but for those that it writes to.
    """
    for word in words:
        word = WRITTEN_TO.sub(" ", word) if re.search(r"\s", word) else word  # noqa: PLW2901
        parts = re.split(r"[\s'\"`;|&<>()=]+", word) if re.search(r"\s", word) else [word, word.partition("=")[2]]
        for part in parts:
            if part and len(part) < os.pathconf("/", "PC_PATH_MAX") and "\0" not in part:
                candidate = Path(cwd) / part
                if _is_file(candidate):
                    yield candidate


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long for a file
        return False
