"""Turns whatever a command raised into a message and an exit code: the only place that does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from envspec.cli import streams
from envspec.errors import EnvspecError, SpecError

INTERRUPTED = 130
UNWRITTEN = 1
"""What click returns for a reader that stopped reading; so do we wherever stdout does not take what is written."""
BUG = 70
USAGE = 2
RUN_FAILED = 125
"""What `envspec run` returns for its own failures, so that none is mistaken for the command's (as `docker run`)."""


def handled(command: Callable[[], Any], argv: Sequence[str]) -> int:
    """Call a command and return its exit code; what it raises is told on stderr."""
    try:
        code = command()
        sys.stdout.flush()
    except BrokenPipeError:
        streams.give_up(sys.stdout.fileno())
        return UNWRITTEN
    except SystemExit as ended:  # how click ends after a broken pipe and after shell completion
        return int(ended.code or 0)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  the last line of defence: anything unexpected becomes a bug report
        if streams.refused(error):
            return _unwritten(error)
        failed = told(error, argv)
        return RUN_FAILED if argv[:1] == ["run"] else failed
    return int(code or 0)


def told(error: Exception, argv: Sequence[str]) -> int:
    """Tell an error on stderr and return the exit code that it means."""
    match error:
        case click.ClickException():
            error.show()
            return USAGE
        case SpecError():
            from envspec.spec.check_formats import as_text

            sys.stderr.write(as_text(error.diagnostics, len({item.file for item in error.diagnostics})))
            return error.exit_code
        case EnvspecError():
            from envspec.cli import terminal
            from envspec.report.failure import failure

            terminal.show(failure(error), sys.stderr)
            return error.exit_code
    from envspec.cli.bug_report import report_bug

    sys.stderr.write(f"{report_bug(error, argv)}\n")  # click.echo would write UTF-8 where the terminal has ASCII
    return BUG


def _unwritten(error: Exception) -> int:
    """Say on stderr, if that can still be seen, that stdout cannot be written."""
    streams.give_up(1)
    if not streams.is_closed_terminal(2):
        click.echo(f"error: cannot write to standard output: {getattr(error, 'strerror', error)}", err=True)
    return UNWRITTEN
