"""`envspec up`: start an environment, wait until it is healthy, show where things are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from envspec.cli.options import backend_option, environment_argument, format_option, request, set_option

if TYPE_CHECKING:
    from envspec.backends.local import LocalStart


@click.command
@environment_argument
@click.option("-d", "--detach", "detached", is_flag=True, help="Return when it is healthy; it goes on running.")
@set_option
@click.option("--keep-on-failure", is_flag=True, help="Leave what runs as it is when the start fails, to look at it.")
@backend_option
@format_option()
@click.pass_obj
def up(
    agent: LocalStart | None, /, environment: str, sets: tuple[str, ...], backend: str, form: str, **flags: bool
) -> int:
    """Start an environment, wait until healthy, show where things are.

    ENV is a name looked up in environments/, or a path. Ctrl-C stops everything; a second one leaves at once and
    what is left is stopped behind it. With -d, a reader that leaves (up -d | head -1) stops nothing.
    """
    if flags["detached"]:
        from envspec.cli.up_detached import up_detached

        return up_detached(request(environment, sets, backend=backend, keep_on_failure=flags["keep_on_failure"]), form)
    # The agent comes up while this process still imports what it needs to read the file; often it is there already.
    from envspec.backends.local import launch_early

    if agent is None and backend == "local":
        agent = launch_early()
    from envspec.cli.up_foreground import up_foreground

    asked = request(environment, sets, backend=backend, keep_on_failure=flags["keep_on_failure"])
    return up_foreground(asked, agent, form)
