"""`envspec run`: start an environment, run a command in it, stop it."""

from __future__ import annotations

import click

from envspec.cli.options import backend_option, environment_argument, request, set_option
from envspec.errors import UsageError


class CommandBehindDashes(click.Command):
    """Takes everything behind the first `--` as it is; without one, everything behind ENV."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what is ours, and leave what is the command's."""
        dashes = args.index("--") if "--" in args else None
        ours, command = (args, []) if dashes is None else (args[:dashes], args[dashes + 1 :])
        ctx.allow_interspersed_args = dashes is not None
        rest = super().parse_args(ctx, ours)
        ctx.params["command"] = (*ctx.params["command"], *command)
        return rest


@click.command(cls=CommandBehindDashes)
@environment_argument
@click.argument("command", metavar="-- CMD…", nargs=-1, type=click.UNPROCESSED)
@set_option
@backend_option
def run(environment: str, command: tuple[str, ...], sets: tuple[str, ...], backend: str) -> int:
    """Start an environment, run a command in it, stop it.

    CMD sees ENVSPEC_SESSION, and for every port ENVSPEC_<SERVICE>_<PORT>_URL, _PORT and _HOST. Exits with CMD's own
    code (128+n where signal n ended it), or with 125 where envspec itself failed.
    """
    if not command:
        message = "there is no command to run"
        raise UsageError(message, hint=f"write it behind two dashes: envspec run {environment} -- pytest -x")
    from envspec.cli.foreground_command import missing

    if unusable := missing(command[0]):
        code, sentence = unusable
        click.echo(f"error: {sentence}", err=True)
        return code
    # The agent starts while this process still imports what it needs to read the file (PROCESSES.md, Start-up time).
    from envspec.backends.local import launch_early

    agent = launch_early() if backend == "local" else None
    from envspec.cli.run_command import run_command

    return run_command(request(environment, sets, backend=backend), agent, command)
