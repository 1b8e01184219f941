"""Where a report goes: what may be written there, and what an earlier one left."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path, PurePosixPath

MARKER = ".envspec-report"
"""Lies in a folder that is a report, and names the files of it, one a line."""


COMMENT = b"envspec report"
"""Of a zip that is a report."""


def refusal(text: str) -> str:
    """Return why no report can be written to a place, a folder or a file that ends in .zip; empty where one can."""
    if not text:
        return "it names no place: give a directory, or a file that ends in .zip"
    place = Path(text).absolute()
    if place.suffix == ".zip":
        if place.is_dir():
            return f"{text} is a directory, and no zip"
        if place.exists() and not _is_report(place):
            return f"{text} is no report of an earlier run: name another file, or remove it"
        place = place.parent
    elif place.is_dir() and not (place / MARKER).is_file() and any(place.iterdir()):
        return f"{text} is not empty, and no report of an earlier run: name another directory, or remove it"
    while not os.path.lexists(place):
        place = place.parent
    if not place.is_dir():
        return f"{text} cannot be written: {place} is no directory"
    return "" if os.access(place, os.W_OK | os.X_OK) else f"{text} cannot be written: {place} is not writable"


def _is_report(file: Path) -> bool:
    """Tell whether a file is a report, or empty."""
    import zipfile  # takes long, and most runs of pytest ask for no report

    try:
        with zipfile.ZipFile(file) as archive:
            return archive.comment == COMMENT
    except zipfile.BadZipFile:
        return not file.stat().st_size
    except OSError:  # it cannot be read
        return False


def remove(place: Path) -> None:
    """Remove an earlier report, and nothing else; the folder too where nothing else is in it.

    Raises:
        OSError: it cannot be removed.
    """
    if place.suffix == ".zip":
        if place.is_file() and _is_report(place):
            place.unlink()
    elif (place / MARKER).is_file():
        clear(place)
        with suppress(OSError):  # something of somebody else's is in it
            place.rmdir()


def clear(folder: Path) -> None:
    """Remove what an earlier report left in its folder, and nothing else."""
    with suppress(FileNotFoundError):
        for name in (folder / MARKER).read_text("utf-8").splitlines():
            path = PurePosixPath(name)
            if not path.is_absolute() and ".." not in path.parts:
                _remove(folder, path)
        (folder / MARKER).unlink()


def _remove(folder: Path, path: PurePosixPath) -> None:
    with suppress(OSError):  # it is gone, or something of somebody else's lies beside it
        (folder / path).unlink(missing_ok=True)
        for parent in list(path.parents)[:-1]:
            (folder / parent).rmdir()


def put(folder: Path, name: str, content: bytes) -> None:
    """Write a file of the report, which is known as one before it is there."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with (folder / MARKER).open("a", encoding="utf-8") as marker:
        marker.write(f"{name}\n")
    path.write_bytes(content)
