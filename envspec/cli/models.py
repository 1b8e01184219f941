"""`envspec models`: the models of the project's environments, and what of them is on this machine."""

from __future__ import annotations

import click

from envspec.cli.commands import unknown
from envspec.cli.models_list import list_models
from envspec.cli.models_pin import pin
from envspec.cli.models_prune import prune
from envspec.cli.models_pull import pull
from envspec.cli.models_verify import verify


class Models(click.Group):
    """The commands about models."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that `args` ask for.

        Raises:
            click.UsageError: there is none of that name; says which comes closest.
        """
        if args[0] not in self.commands and not args[0].startswith("-"):
            raise click.UsageError(unknown(args[0], self.commands), ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=Models)
def models() -> None:
    """List, fetch, verify, pin and prune models."""


for command in (list_models, pull, verify, pin, prune):
    models.add_command(command)
