"""`envspec models`: the models of the project's environments, and what of them is on this machine."""

from __future__ import annotations

import click

from envspec.cli.models_list import list_models
from envspec.cli.models_pin import pin
from envspec.cli.models_prune import prune
from envspec.cli.models_pull import pull
from envspec.cli.models_verify import verify


@click.group
def models() -> None:
    """List, fetch, verify, pin and prune models."""


for command in (list_models, pull, verify, pin, prune):
    models.add_command(command)
