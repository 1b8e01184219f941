"""`envspec kill|pause|resume|restart`: faults by hand, on a service or on one replica of it."""

from __future__ import annotations

import click

from envspec.cli import terminal
from envspec.cli.commands import COMMANDS
from envspec.cli.options import session_option
from envspec.report.text import line


def order(action: str, name: str, session: str | None) -> int:
    """Do `action` to a service or replica of a running session; return 0 when it is done.

    Raises:
        UsageError: there is no such session or service, or more than one session that could be meant.
    """
    from envspec.cli.sessions import the_session
    from envspec.session.control import Control

    entry = the_session(session)
    control = Control(entry.directory)
    meant = [item for item in control.status().services.values() if name in (item.name, item.service)]
    control.fault(action, name)
    # Done anyhow: whoever sent SIGSTOP by other means gets the process back by this, too.
    remark = "  it was not paused" if action == "resume" and not any(item.paused for item in meant) else ""
    terminal.show([line((f"{action} ", "yellow"), name, (f"  {entry.id}", "dim"), remark)])
    return 0


def command(action: str) -> click.Command:
    """Return the command for `action`; what it does is said in the table of commands."""

    @click.command(action, help=COMMANDS[action][1])
    @click.argument("name", metavar="SERVICE[.N]")
    @session_option
    def ordered(name: str, session: str | None) -> int:
        return order(action, name, session)

    return ordered


kill, pause, resume, restart = map(command, ("kill", "pause", "resume", "restart"))
