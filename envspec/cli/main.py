"""The entry point: finds the command that was asked for and imports that one alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import click

import envspec
from envspec.cli.commands import COMMANDS, SECTIONS, unknown
from envspec.cli.error_handler import handled

if TYPE_CHECKING:
    from envspec.backends.local import LocalStart


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, not when they are listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every command's name."""
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None for one that does not exist."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that `args` ask for.

        Raises:
            click.UsageError: there is none of that name; says which comes closest.
        """
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(unknown(args[0], COMMANDS), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by what they are for, from their literal help."""
        width = max(map(len, COMMANDS))
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), help_line) for name, (_, help_line) in section.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(envspec.__version__, prog_name="envspec")
def cli() -> None:
    """Declarative test environments for LLM inference stacks: one YAML file says what runs and what healthy means."""


def main(argv: Sequence[str] | None = None, agent: LocalStart | None = None) -> int:
    """Run the command line and return its exit code. `agent` is one that was started for it (envspec.cli.early)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = partial(cli.main, args=arguments, prog_name="envspec", standalone_mode=False, obj=agent)
    return handled(command, arguments)
