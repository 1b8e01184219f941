"""Turns whatever a command raised into a message and an exit code: the only place that does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from envspec.cli import streams
from envspec.errors import EnvspecError, SpecError, UsageError

INTERRUPTED = 130
UNWRITTEN = 1
"""What click returns for a reader that stopped reading; so do we wherever what is written is not taken."""
BUG = 70
USAGE = 2
RUN_FAILED = 125
"""What `envspec run` returns for its own failures, so that none is mistaken for the command's (as `docker run`)."""


def handled(command: Callable[[], Any], argv: Sequence[str]) -> int:
    """Call a command and return its exit code; what it raises is told on stderr, as far as that can be written."""
    try:
        code = command()
        sys.stdout.flush()
        return int(code or 0)
    except SystemExit as ended:  # how click ends after a broken pipe and after shell completion
        failed = int(ended.code or 0)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except Exception as raised:  # noqa: BLE001  the last line of defence: anything unexpected becomes a bug report
        error = _homeless(raised) or raised
        failed = exit_code(error)
        with streams.as_far_as_possible():
            tell(error, argv)
    finally:
        streams.give_up_lost()
    return RUN_FAILED if failed and argv[:1] == ["run"] else failed


def _homeless(error: Exception) -> UsageError | None:
    """Return what to say instead of an error that comes of a working directory that was removed; else None."""
    if not isinstance(error, FileNotFoundError):
        return None
    try:
        Path.cwd()
    except FileNotFoundError:
        message = "the working directory is gone, and there paths and environments are looked up"
        return UsageError(message, hint="it was removed or replaced; change to one that is there, as with cd")
    return None


def exit_code(error: Exception) -> int:
    """Return the exit code that an error means."""
    if isinstance(error, click.ClickException):
        return USAGE
    if isinstance(error, EnvspecError):
        return error.exit_code
    return UNWRITTEN if streams.lost(error) else BUG


def tell(error: Exception, argv: Sequence[str]) -> None:
    """Tell an error on stderr."""
    match error:
        case click.ClickException():
            error.show()
        case SpecError():
            from envspec.cli import terminal
            from envspec.spec.check_formats import as_text

            files = len({item.file for item in error.diagnostics})
            sys.stderr.write(as_text(error.diagnostics, files, terminal.size(sys.stderr)[0]))
        case EnvspecError():
            from envspec.cli import terminal
            from envspec.report.failure import failure

            terminal.show(failure(error), sys.stderr)
        case OSError() if streams.lost(error):
            _tell_unwritten(error)
        case _:
            from envspec.cli.bug_report import report_bug

            # click.echo would write UTF-8 where the terminal has ASCII.
            sys.stderr.write(f"{report_bug(error, argv)}\n")


def _tell_unwritten(error: OSError) -> None:
    """Say, if that can still be seen, that stdout cannot be written; a reader that left knows."""
    streams.give_up(1)
    if not isinstance(error, BrokenPipeError) and not streams.is_closed_terminal(2):
        click.echo(f"error: cannot write to standard output: {error.strerror}", err=True)
