"""Whether this host has what an environment requires: asked before anything is started, and answered in full."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

from envspec.agent.program import SpawnError, find_program
from envspec.errors import RequirementError
from envspec.plan.outline import Outline, Requirements
from envspec.session.room import free_bytes
from envspec.session.state import state_directory

SYSTEMS = {"linux": "linux", "darwin": "macos"}
"""The file's names of operating systems by Python's."""

Programs = Callable[[Collection[str]], Iterable[str]]
"""What services lack to be started, in sentences, but for services and commands of which as much was said already."""


def check_requirements(environment: Outline, environ: Mapping[str, str], programs: Programs = lambda _told: ()) -> None:
    """Return when everything is here.

    `programs` is asked only where something is missing, for sentences on what services lack beside that.

    Raises:
        RequirementError: with all that is not, whom it is for, and the pip command where an extra provides it.
    """
    requires = environment.requires
    missing = [
        *_system(requires),
        *_commands(requires, environ),
        *_modules(requires),
        *_variables(requires, environ),
        *_memory(requires),
        *_disk(requires),
    ]
    if missing:
        names = [name for name, _ in missing]
        told = {*names, *(service for name in names for service in requires.needed_by.get(name, ()))}
        raise _error(environment, [*missing, *(("", sentence) for sentence in programs(told))], environ)


def _error(environment: Outline, missing: list[tuple[str, str]], environ: Mapping[str, str]) -> RequirementError:
    sentences = [sentence for _, sentence in missing]
    extras = {environment.requires.extras[name]: None for name, _ in missing if name in environment.requires.extras}
    hint = f"pip install 'envspec[{','.join(extras)}]'" if extras else ""
    count = f"{len(missing)} things that" if len(missing) > 1 else "something that"
    lines = "\n".join(f"- {sentence}" for sentence in sentences)
    message = f"this host lacks {count} the environment {environment.name} requires\n\n{lines}"
    if len(missing) == 1:
        message = f"the environment {environment.name} cannot run here: {sentences[0]}"
    if any(name in environment.requires.commands for name, _ in missing):
        message += f"\n\nPATH searched: {_search_path(environ)}"
    return RequirementError(message, missing=sentences, hint=hint)


def _for(requires: Requirements, name: str) -> str:
    services = requires.needed_by.get(name, ())
    return f" (for {', '.join(services)})" if services else ""


def _system(requires: Requirements) -> Iterable[tuple[str, str]]:
    here = SYSTEMS.get(sys.platform, sys.platform)
    if requires.os and here not in requires.os:
        yield here, f"it needs {' or '.join(requires.os)}, and this is {here}"


def _commands(requires: Requirements, environ: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    path = _search_path(environ)
    for name in requires.commands:
        try:
            find_program(name, path, os.curdir)
        except SpawnError:
            yield name, f"the command {name} is not on PATH{_for(requires, name)}"


def _search_path(environ: Mapping[str, str]) -> str:
    # The interpreter's own directory counts: a virtual environment need not be activated to have its commands.
    scripts, path = str(Path(sys.executable).parent), environ.get("PATH", os.defpath)
    return path if scripts in path.split(os.pathsep) else os.pathsep.join(filter(None, [scripts, path]))


def _modules(requires: Requirements) -> Iterable[tuple[str, str]]:
    for name in requires.modules:
        if not _has_module(name):
            yield name, f"the Python module {name} is not installed{_for(requires, name)}"


def _has_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):  # a parent package that is not there, or that is none
        return False


def _variables(requires: Requirements, environ: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    for name in requires.env:
        if not environ.get(name):
            yield name, f"the environment variable {name} is not set"


def _memory(requires: Requirements) -> Iterable[tuple[str, str]]:
    if requires.memory:
        import psutil

        available = psutil.virtual_memory().available
        if available < requires.memory:
            yield "memory", f"{_size(requires.memory)} of memory must be available, and {_size(available)} are"


def _disk(requires: Requirements) -> Iterable[tuple[str, str]]:
    if requires.disk:
        directory = state_directory()
        there = next(path for path in (directory, *directory.parents) if path.exists())
        free = free_bytes(there)
        if free < requires.disk:
            yield "disk", f"{_size(requires.disk)} must be free in {directory}, and {_size(free)} are"


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
