"""`envspec kill|pause|resume|restart`: faults by hand, on a service or on one replica of it."""

from __future__ import annotations

import click

from envspec.cli import terminal
from envspec.cli.options import session_option
from envspec.report.text import line

TARGET = "SERVICE[.N]"


def order(action: str, name: str, session: str | None) -> int:
    """Do `action` to a service or replica of a running session; return 0 when it is done.

    Raises:
        UsageError: there is no such session or service, or more than one session that could be meant.
    """
    from envspec.cli.sessions import the_session
    from envspec.session.control import Control

    entry = the_session(session)
    Control(entry.directory).fault(action, name)
    terminal.show([line((f"{action} ", "yellow"), name, (f"  {entry.id}", "dim"))])
    return 0


@click.command
@click.argument("name", metavar=TARGET)
@session_option
def kill(name: str, session: str | None) -> int:
    """Kill a service at once, as a crash would."""
    return order("kill", name, session)


@click.command
@click.argument("name", metavar=TARGET)
@session_option
def pause(name: str, session: str | None) -> int:
    """Stop a service where it stands, as a hang would."""
    return order("pause", name, session)


@click.command
@click.argument("name", metavar=TARGET)
@session_option
def resume(name: str, session: str | None) -> int:
    """Let a paused service go on."""
    return order("resume", name, session)


@click.command
@click.argument("name", metavar=TARGET)
@session_option
def restart(name: str, session: str | None) -> int:
    """Stop a service and start it again on the same ports."""
    return order("restart", name, session)
