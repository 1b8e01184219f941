"""`envspec models prune`: room on the disk, from models that no environment refers to."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import click

from envspec.cli import terminal
from envspec.cli.error_handler import INTERRUPTED
from envspec.errors import ModelUnavailableError, UsageError
from envspec.report.text import columns, line, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from envspec.models.source import Host
    from envspec.models.unused import Kept, Unused

UNANSWERED = 1
"""What click returns where a question is left without an answer, as by Ctrl-D."""


@click.command
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
def prune(*, yes: bool, dry_run: bool) -> int:
    """Remove models that no environment of this project refers to.

    Of envspec's own cache, and of that of the hub what envspec downloaded itself; what other programs downloaded stays,
    and so does what a running session uses or another process fetches. What killed downloads left goes, too.
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
    found, kept = unused([model.options for model in declared(loaded)], host, _users())
    _say(kept)
    if not found:
        click.echo("There is nothing to remove.")
        return 0
    rows = [[(format_size(one.bytes), ""), (one.what, ""), (str(one.path), "dim")] for one in found]
    terminal.show(columns(rows, right=frozenset({0})), cut=True)
    total = format_size(sum(one.bytes for one in found))
    if dry_run:
        click.echo(f"{total} would be freed.")
        return 0
    if not yes and (refused := _refusal(total)) is not None:
        click.echo("Nothing was removed.")
        return refused
    click.echo(f"{format_size(_remove(found, host))} freed.")
    return 0


def _users() -> dict[str, str]:
    """Return which sessions use which models, by the real paths of their files."""
    from envspec.cli.sessions import plan_of
    from envspec.session import registry

    plans = [(entry.id, plan_of(entry.directory)) for entry in registry.sessions()]
    return {
        os.path.realpath(model.path): f"session {session}"
        for session, plan in plans
        if plan is not None
        for model in plan.models
    }


def _say(kept: Iterable[Kept]) -> None:
    terminal.show([line(f"{one.what}: {one_line(one.why)}; it is left alone") for one in kept])


def _refusal(total: str) -> int | None:
    """Ask, and return the exit code where the answer is no, or none."""
    if not sys.stdin.isatty():
        message = "nobody can be asked here whether these shall be removed"
        raise UsageError(message, hint="--yes removes them, --dry-run shows them")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # else Ctrl-C leaves without a word
    try:
        return None if click.confirm(f"Remove these, and free {total}?") else 0
    except click.Abort as abort:
        click.echo()  # the cursor stands behind the question
        return INTERRUPTED if isinstance(abort.__context__, KeyboardInterrupt) else UNANSWERED
    finally:
        signal.signal(signal.SIGINT, before)


def _remove(found: list[Unused], host: Host) -> int:
    """Remove what nobody has come to need since it was listed, and return how many bytes that gave back."""
    from envspec.models.unused import Kept, remove

    freed, users = 0, _users()
    for one in found:
        try:
            why = remove(one, host, users)
        except OSError as error:
            message = f"{one.path} cannot be removed: {error.strerror or error}"
            raise ModelUnavailableError(message, hint="see who owns it; what was listed before it is gone") from error
        if why:
            _say([Kept(one.what, why)])
        else:
            freed += one.bytes
    return freed
