"""Where environment files are: by name in a project, or by path."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from envspec.errors import UsageError
from envspec.spec.diagnostics import suggest

DEFAULT = "local"
PLACE = "environments"
SUFFIXES = (".yaml", ".yml")
NONE_FOUND = (
    "envspec looks in environments/, or where [tool.envspec] environments in pyproject.toml says; "
    "`envspec init` makes a first one"
)

SPEAKS_OF_PLACES = re.compile(rb"""\benvironments(?:["']?\s*=|\s*\])""")
"""What a pyproject.toml must have in it to be read at all, which takes 2 ms of each command."""


def find(name_or_path: str, start: Path) -> Path:
    """Return the file of an environment, by its name (looked up from `start` upwards) or by its path.

    A name that is a path, too, means the path.

    Raises:
        UsageError: there is no such environment; the hint lists those that there are.
    """
    text = name_or_path or DEFAULT
    path = start / text
    if ("/" in text or text.endswith(SUFFIXES)) and path.is_file():
        return path
    for file in files_to_check(start):  # one that is no environment says so when it is read
        if name_of(file) == text:
            return file
    _refuse_directory(path)
    if "[" in text and text.endswith("]"):
        message = f"{text}: variants are not in this version of envspec"
        raise UsageError(message, hint="leave out the brackets")
    if text.endswith(SUFFIXES) or text.startswith(("./", "../", "/")):
        message = f"there is no file {os.path.normpath(path)}"
        raise UsageError(message)
    found = {name_of(file): file for file in environments(start)}
    message = f"there is no environment '{text}'"
    hint = (suggest(text, found) or f"there are: {', '.join(found)}") if found else NONE_FOUND
    raise UsageError(message, hint=f"{hint}\nlooked in {', '.join(map(str, _looked(start.absolute())))}")


def _looked(start: Path) -> list[Path]:
    """Return the places in which `files_to_check` looks from `start`: upwards, as far as the first with files in it."""
    looked: list[Path] = []
    for folder in _upwards(start):
        places = _configured(folder) or [folder / PLACE]
        looked += places
        if any(map(_files, places)):
            break
    return looked


def _refuse_directory(path: Path) -> None:
    if path.is_dir():
        message = f"{os.path.normpath(path)} is a directory, and an environment is a file"
        raise UsageError(message, hint="name one by the name that `envspec list` shows, or by its path")


def name_of(file: Path) -> str:
    """Return what an environment is called: `vllm/cpu-single` for environments/vllm/cpu-single.yaml, else its stem."""
    below = [file.stem]
    for folder in file.absolute().parents:
        if folder.name == PLACE:
            return "/".join(reversed(below))
        if _is_project(folder):
            break
        below.append(folder.name)
    return file.stem


def environments(start: Path) -> list[Path]:
    """Return the environment files of the project that `start` is in, by name; catalog entries beside them are none."""
    # Here, not above: a session that recalls its plan finds its file, and needs nothing of the format.
    from envspec.spec.entry_check import is_entry

    return [file for file in files_to_check(start) if not is_entry(file)]


def files_to_check(start: Path) -> list[Path]:
    """Return the environment files of the project that `start` is in, and the catalog entries beside them.

    Of two files that are called the same, `local.yaml` comes before `local.yml`, and is what the name means.
    """
    for folder in _upwards(start):
        places = _configured(folder) or [folder / PLACE]
        files = [file for place in places for file in _files(place)]
        if files:
            return sorted(files, key=lambda file: (name_of(file), file.suffix != SUFFIXES[0], file))
    return []


def file_for_first(start: Path) -> Path:
    """Return where the first environment of the project that `start` is in belongs, so that its name is DEFAULT.

    Where pyproject.toml names files alone, it is the first of them, with a name of its own.
    """
    for folder in _upwards(start):
        if places := _configured(folder):
            folders = [place for place in places if place.suffix not in SUFFIXES]
            return folders[0] / f"{DEFAULT}{SUFFIXES[0]}" if folders else places[0]
    return start / PLACE / f"{DEFAULT}{SUFFIXES[0]}"


def project_of(directory: Path) -> Path:
    """Return the nearest directory upwards with pyproject.toml or .git, else `directory` itself."""
    for folder in (directory, *directory.parents):
        if _is_project(folder):
            return folder
    return directory


def _is_project(folder: Path) -> bool:
    return (folder / "pyproject.toml").exists() or (folder / ".git").exists()


def _upwards(start: Path) -> Iterator[Path]:
    """Yield `start` and what is above it, as far as the project reaches."""
    yield start
    end = project_of(start.absolute())
    folder = start.absolute()
    while folder not in (end, folder.parent):
        folder = folder.parent
        yield folder


def _configured(folder: Path) -> list[Path]:
    """Return the places that pyproject.toml names, or nothing.

    Raises:
        UsageError: the file is no TOML, or the key is neither a path nor a list of paths.
    """
    file = folder / "pyproject.toml"
    if not file.is_file():
        return []
    content = file.read_bytes()
    if not SPEAKS_OF_PLACES.search(content):
        return []
    import tomllib

    try:
        written = tomllib.loads(content.decode()).get("tool", {}).get("envspec", {}).get("environments", [])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"{file} cannot be read: {error}"
        raise UsageError(message) from error
    paths = [written] if isinstance(written, str) else written
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        message = f"{file}: [tool.envspec] environments is a path or a list of paths"
        raise UsageError(message)
    return [folder / path for path in paths]


def _files(place: Path) -> list[Path]:
    """Return a file, or the YAML files of a directory; folders within count only below `environments/`."""
    if place.is_file():
        return [place]
    files = place.rglob("*") if place.name == PLACE else place.glob("*")
    return [file for file in files if file.suffix in SUFFIXES and file.is_file()] if place.is_dir() else []
