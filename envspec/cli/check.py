"""`envspec check`: finds what can be found wrong with environment files without running anything."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from envspec.cli import terminal
from envspec.cli.options import format_option
from envspec.errors import UsageError

if TYPE_CHECKING:
    from envspec.errors import Diagnostic

SUFFIXES = (".yaml", ".yml")


@click.command
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@format_option("text", "json", "github", "sarif")
def check(paths: tuple[Path, ...], form: str) -> int:
    """Validate environment files and catalog entries; runs nothing.

    PATHS are files, or directories whose .yaml and .yml files are checked, less those in hidden directories; without
    any, the project's environments.
    Exits with 2 where there is an error, a path that does not exist, or nothing to check.
    """
    from envspec.resolve import check as problems_of
    from envspec.spec.check_formats import FORMATS, as_text

    missing = [path for path in dict.fromkeys(paths) if not path.exists()]
    files = list(dict.fromkeys(map(_from_here, _files(paths))))
    if not files:  # a job in the wrong directory must not stay green
        raise _missing(missing) if missing else _nothing(paths)
    diagnostics = _once(problem for file in files for problem in problems_of(file, environ=os.environ))
    if form == "text":
        sys.stdout.write(as_text(diagnostics, len(files), terminal.size(sys.stdout)[0]))
    else:
        write = sys.stdout.write if form == "github" else terminal.write_json
        write(FORMATS[form](diagnostics, len(files)))
    if missing:
        raise _missing(missing)
    return 2 if any(problem.severity == "error" for problem in diagnostics) else 0


def _files(paths: tuple[Path, ...]) -> Iterator[Path]:
    if not paths:
        from envspec.spec.find import files_to_check

        yield from files_to_check(Path.cwd())
    for path in paths:
        if path.is_dir():
            yield from sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and not _hidden(file, path))
        elif path.exists():
            yield path


def _missing(paths: list[Path]) -> UsageError:
    message = "\n".join(f"{path}: there is no such file or directory" for path in paths)
    return UsageError(message, hint="check takes paths; without any it checks the project's environments")


def _nothing(paths: tuple[Path, ...]) -> UsageError:
    from envspec.spec.find import NONE_FOUND

    if not paths:
        return UsageError("there are no environments here", hint=NONE_FOUND)
    message = f"there are no .yaml or .yml files in {', '.join(map(str, paths))}"
    return UsageError(message, hint="name files, or directories that hold some; hidden ones are left out")


def _once(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Return findings less those that were told of an earlier file: files share what they extend and use."""
    told: dict[tuple[str, int, int, str, str], Diagnostic] = {}
    for one in found:
        told.setdefault((one.file, one.line, one.column, one.code, one.message), one)
    return [replace(one, file=str(_from_here(Path(one.file)))) for one in told.values()]


def _from_here(file: Path) -> Path:
    """Return a path relative to the working directory where it is below that, as CI wants it; else as it is."""
    absolute, here = Path(os.path.abspath(file)), Path.cwd()  # noqa: PTH100  `..` goes by text alone
    return absolute.relative_to(here) if absolute.is_relative_to(here) else file


def _hidden(file: Path, below: Path) -> bool:
    """Say whether a file is another tool's: hidden, or in a hidden directory such as .venv or .git."""
    return any(part.startswith(".") for part in file.relative_to(below).parts)
