"""`envspec timeline`: where the start-up time of a session went."""

from __future__ import annotations

import sys

import click

from envspec.cli import terminal
from envspec.cli.options import format_option

PAGE = 100
"""Columns of the picture where it goes to a file or a pipe."""


@click.command
@click.argument("session", metavar="[SESSION]", required=False)
@format_option()
def timeline(session: str | None, form: str) -> int:
    """Show where the start-up time went.

    SESSION is an id, or an environment's name for its last session; without it, the last session of all. Sessions
    that have ended are found as well.
    """
    from envspec.cli.sessions import events_of, recorded
    from envspec.report.timeline import timeline as computed

    entry = recorded(session)
    result = computed(events_of(entry), is_over=entry.ended is not None)
    if form == "json":
        terminal.show_json(result.to_json())
    else:
        from envspec.report.timeline_text import timeline_text

        terminal.show(timeline_text(result, terminal.size(sys.stdout, otherwise=PAGE)[0]))
    return 0
