"""`envspec logs`: what services wrote, of one or of all, now or as it comes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

import click

from envspec.cli import streams, terminal
from envspec.cli.options import session_option
from envspec.errors import EnvspecError, UsageError
from envspec.report.text import Line, line

if TYPE_CHECKING:
    from envspec.cli.log_reader import LogReader
    from envspec.session.registry import Entry
    from envspec.session.status import ReplicaStatus

PERIOD = 0.05
"""Seconds between two looks at the logs with `-f`: what a person takes for at once."""
AT_ONCE = 1000
"""Lines written in one piece: a log may be longer than memory, and its reader have enough of it."""
COLOURS = ("cyan", "green", "magenta", "blue", "yellow")


@click.command
@click.argument("services", metavar="[SERVICE[.N]]...", nargs=-1)
@click.option("-f", "--follow", is_flag=True, help="Go on as they write, across restarts, until the session is over.")
@click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N lines of each.")
@session_option
def logs(services: tuple[str, ...], *, follow: bool, tail: int | None, session: str | None) -> int:
    """Show what services wrote.

    Of all of them, where none is named. Lines of several are marked with whose they are. Sessions that have ended
    are found as well, the last one where none runs.
    """
    from envspec.cli.log_files import LogFiles
    from envspec.cli.log_reader import LogReader
    from envspec.cli.sessions import recorded, status_of, the_session
    from envspec.session.registry import sessions

    entry = the_session(None) if session is None and sessions() else recorded(session)
    replicas = status_of(entry).services
    files = LogFiles({name: replica.log for name, replica in replicas.items()})
    secrets = _secrets(entry)
    readers = [
        LogReader(files, name, tail, secrets, _tell_truncated)
        for name in _names(entry, list(replicas.values()), services)
    ]
    try:
        _show(readers)
        if follow:
            _follow(readers, entry)
        _show(readers, last=True)
    except BrokenPipeError:
        streams.give_up(1)  # `| head`: who read them has seen enough, whether or not there was more
    return 0


def _names(entry: Entry, replicas: Sequence[ReplicaStatus], wanted: Sequence[str]) -> list[str]:
    """Return the replicas whose names, or whose services' names, are wanted.

    Raises:
        UsageError: there is none of a name.
    """
    known = {replica.name for replica in replicas} | {replica.service for replica in replicas}
    for name in wanted:
        if name not in known:
            from envspec.session.unknown_name import unknown_name
            from envspec.spec.diagnostics import suggest

            if own := [item.name for item in replicas if item.service == name.rpartition(".")[0]]:
                raise unknown_name(name, "", {name.rpartition(".")[0]: own})
            message = f"there is no service {name} in the session {entry.id}"
            raise UsageError(message, hint=suggest(name, known))
    return [item.name for item in replicas if not wanted or item.name in wanted or item.service in wanted]


def _secrets(entry: Entry) -> tuple[str, ...]:
    """Return what is to be masked: the session's secrets, or where it is over those of this shell."""
    from envspec.plan.redact import secrets_of
    from envspec.session.control import Control

    try:
        theirs = Control(entry.directory).secrets()
    except (EnvspecError, OSError):
        theirs = ()
    return tuple(sorted({*theirs, *secrets_of([os.environ])}, key=len, reverse=True))


def _show(readers: Sequence[LogReader], *, last: bool = False) -> None:
    width = max((len(reader.replica) for reader in readers), default=0)
    for index, reader in enumerate(readers):
        prefix: Line = ()
        if len(readers) > 1:
            prefix = ((f"{reader.replica:<{width}}", COLOURS[index % len(COLOURS)]), (" │ ", "dim"))
        lines = reader.last() if last else reader.lines()
        while shown := [(*prefix, (text, "")) for text in islice(lines, AT_ONCE)]:
            terminal.show(shown)


def _tell_truncated(replica: str) -> None:
    said = line((f"the log of {replica} was truncated; it goes on from its begin", "dim"))
    terminal.show([said], sys.stderr)


def _follow(readers: Sequence[LogReader], entry: Entry) -> None:
    """Show what comes until the session is over; Ctrl-C is how people leave."""
    while _lives(entry):
        if streams.reader_leaves(1, PERIOD):
            raise BrokenPipeError  # who read them has seen enough, and the next line may never come
        _show(readers)
    _show(readers)


def _lives(entry: Entry) -> bool:
    """Whether a session may still write: its socket goes with its end, its process where it was killed."""
    from envspec.agent.identity import start_time
    from envspec.session.state import SOCKET

    return (entry.directory / SOCKET).exists() and start_time(entry.pid) is not None
