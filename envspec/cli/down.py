"""`envspec down`: stop running sessions."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import click

from envspec.cli import terminal
from envspec.errors import UsageError


@click.command
@click.argument("name", metavar="[SESSION|ENV]", required=False)
@click.option("--all", "everything", is_flag=True, help="Stop all sessions of this user.")
def down(name: str | None, *, everything: bool) -> int:
    """Stop running sessions.

    By id, or all of an environment by its name; without either, the only one that runs. Returns when nothing of them
    runs any more.
    """
    if name is not None and everything:
        message = f"--all stops every session, and {name} names one of them"
        raise UsageError(message, hint=f"envspec down {name}, or envspec down --all")
    from envspec.cli.sessions import chosen, status_of
    from envspec.report.stopping import told_while_stopping
    from envspec.report.summary import stopped
    from envspec.report.text import line
    from envspec.session.control import Control
    from envspec.session.registry import Entry

    def say(words: str) -> None:
        terminal.show([line(words)], sys.stderr)

    def stop(entry: Entry) -> None:
        status = status_of(entry)
        with told_while_stopping(lambda: status_of(entry), say):
            Control(entry.directory).stop("envspec down")
        terminal.show([stopped(status)])

    entries = chosen(name, everything=everything)
    if entries:
        with ThreadPoolExecutor(len(entries)) as pool:
            list(pool.map(stop, entries))
    return 0
