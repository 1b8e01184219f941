"""`envspec models prune`: room on the disk, from models that no environment refers to."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from envspec.cli import terminal
from envspec.errors import ModelUnavailableError, UsageError
from envspec.report.text import columns

if TYPE_CHECKING:
    from envspec.models.source import Host
    from envspec.models.unused import Unused


@click.command
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
def prune(*, yes: bool, dry_run: bool) -> int:
    """Remove models that no environment of this project refers to.

    Of envspec's own cache, and of that of the hub what envspec downloaded itself; what other programs downloaded stays.
    Environments of other projects on this machine are not looked at: they would fetch what they need again.
    """
    from envspec.cli.models_declared import declared, load_all
    from envspec.models.source import Host
    from envspec.models.unused import unused
    from envspec.units import format_size

    loaded, wrong = load_all()
    if wrong:
        raise wrong[0]  # nobody can say what it refers to
    if not loaded:
        message = "there are no environments here, so nothing says which models are needed"
        raise UsageError(message, hint="call it in the directory of a project")
    host = Host.of(os.environ)
    found = unused([model.options for model in declared(loaded)], host)
    if not found:
        click.echo("There is nothing to remove.")
        return 0
    rows = [[(format_size(one.bytes), ""), (one.what, ""), (str(one.path), "dim")] for one in found]
    terminal.show(columns(rows, right=frozenset({0})), cut=True)
    total = format_size(sum(one.bytes for one in found))
    if dry_run:
        click.echo(f"{total} would be freed.")
        return 0
    if not yes and not _agreed(total):
        click.echo("Nothing was removed.")
        return 0
    _remove(found, host)
    click.echo(f"{total} freed.")
    return 0


def _agreed(total: str) -> bool:
    if not sys.stdin.isatty():
        message = "nobody can be asked here whether these shall be removed"
        raise UsageError(message, hint="--yes removes them, --dry-run shows them")
    return click.confirm(f"Remove these, and free {total}?")


def _remove(found: list[Unused], host: Host) -> None:
    from envspec.models.unused import remove

    for one in found:
        try:
            remove(one, host)
        except OSError as error:
            message = f"{one.path} cannot be removed: {error.strerror or error}"
            raise ModelUnavailableError(message, hint="see who owns it; what was listed before it is gone") from error
