"""`envspec ps`: what runs, and every port by its name."""

from __future__ import annotations

import sys
import time

import click

from envspec.cli import terminal
from envspec.cli.options import format_option


@click.command
@format_option()
def ps(form: str) -> int:
    """Show running sessions with every port by its name."""
    from envspec.cli.sessions import status_of
    from envspec.session.registry import sessions

    statuses = [status_of(entry) for entry in sessions()]
    if form == "json":
        terminal.show_json([status.to_json() for status in statuses])
    elif statuses:
        from envspec.report.sessions import sessions_table

        terminal.show(sessions_table(statuses, time.time(), terminal.size(sys.stdout)[0]))
    else:
        click.echo("No session runs.", err=True)
    return 0
