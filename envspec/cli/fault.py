"""`envspec kill|pause|resume|restart`: faults by hand, on a service or on one replica of it."""

from __future__ import annotations

from typing import Any

import click

from envspec.cli import terminal
from envspec.cli.commands import COMMANDS
from envspec.cli.options import session_option
from envspec.report.text import line


def order(action: str, name: str, session: str | None, **more: Any) -> int:
    """Do `action` to a service or replica of a running session; return 0 when it is done.

    `more` are arguments that the action takes beside the name (envspec.plan.fault.Order).

    Raises:
        UsageError: there is no such session or service, or more than one session that could be meant.
    """
    from envspec.cli.sessions import the_session
    from envspec.session.control import Control

    entry = the_session(session)
    control = Control(entry.directory)
    meant = [item for item in control.status().services.values() if name in (item.name, item.service)]
    control.fault(action, name, **more)
    # Done anyhow: whoever sent SIGSTOP by other means gets the process back by this, too.
    remark = "  it was not paused" if action == "resume" and not any(item.paused for item in meant) else ""
    terminal.show([line((f"{action} ", "yellow"), name, (f"  {entry.id}", "dim"), remark)])
    return 0


name_argument = click.argument("name", metavar="SERVICE[.N]")


@click.command(help=COMMANDS["kill"][1])
@name_argument
@click.option("--signal", default="KILL", metavar="NAME", show_default=True, help="Another signal, by name or number.")
@click.option(
    "--child", default="", metavar="TEXT", help="Signal the one descendant whose name or command line contains TEXT."
)
@session_option
def kill(name: str, signal: str, child: str, session: str | None) -> int:
    """Send a signal to a service, or to one process below it."""
    return order("kill_child" if child else "kill", name, session, signal=signal, child=child)


@click.command(help=COMMANDS["pause"][1])
@name_argument
@session_option
def pause(name: str, session: str | None) -> int:
    """Send SIGSTOP to a service."""
    return order("pause", name, session)


@click.command(help=COMMANDS["resume"][1])
@name_argument
@session_option
def resume(name: str, session: str | None) -> int:
    """Send SIGCONT to a service."""
    return order("resume", name, session)


@click.command(help=COMMANDS["restart"][1])
@name_argument
@click.option("--wipe", is_flag=True, help="Empty its directory in between; its `files` are written again.")
@session_option
def restart(name: str, session: str | None, *, wipe: bool) -> int:
    """Stop a service and start it again."""
    return order("restart", name, session, wipe=wipe)
