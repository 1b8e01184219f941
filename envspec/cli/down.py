"""`envspec down`: stop running sessions."""

from __future__ import annotations

import click

from envspec.cli import terminal


@click.command
@click.argument("name", metavar="[SESSION|ENV]", required=False)
@click.option("--all", "everything", is_flag=True, help="Stop all sessions of this user.")
def down(name: str | None, *, everything: bool) -> int:
    """Stop running sessions.

    By id, or all of an environment by its name; without either, the only one that runs.
    """
    from envspec.cli.sessions import chosen, stop

    for entry in chosen(name, everything=everything):
        terminal.show([stop(entry)])
    return 0
