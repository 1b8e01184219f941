"""`envspec models list`: which models there are, and what of them is on this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from envspec.cli import terminal
from envspec.cli.options import format_option
from envspec.report.text import Span, columns

if TYPE_CHECKING:
    from envspec.cli.models_declared import Declared
    from envspec.models.store import Stored

MARKS = {
    "cached": ("●", "green"),
    "unverified": ("●", "yellow"),
    "damaged": ("✗", "red"),
    "partial": ("◐", "yellow"),
    "missing": ("○", "dim"),
}


@click.command("list")
@click.argument("environments", metavar="[ENV]...", nargs=-1)
@format_option()
def list_models(environments: tuple[str, ...], form: str) -> int:
    """List models, and whether they are on this machine.

    Those of the environments ENV, or of all of the project. Asks nobody: what only the hub knows is left out.
    """
    from envspec.cli.models_declared import declared, load_chosen
    from envspec.models.source import Host
    from envspec.models.store import stored

    host = Host.of(os.environ)
    rows = [(model, stored(model.plan.source, model.options, host)) for model in declared(load_chosen(environments))]
    if form == "json":
        terminal.show_json([_json(model, here) for model, here in rows])
    elif rows:
        terminal.show(columns([_row(model, here) for model, here in rows], right=frozenset({4})), cut=True)
    else:
        click.echo("No environment here declares a model.", err=True)
    return 0


def _json(model: Declared, here: Stored) -> dict[str, Any]:
    plan = model.plan
    return {
        "name": plan.name,
        "served_name": plan.served_name,
        "source": plan.source,
        "repo": plan.options.get("repo"),
        "revision": plan.options.get("revision"),
        "commit": here.commit or None,
        "path": here.path or None,
        "bytes": here.bytes,
        "state": here.state,
        "cached": here.is_cached,
        "used_by": model.used_by,
    }


def _row(model: Declared, here: Stored) -> list[Span]:
    from envspec.cli.models_declared import short
    from envspec.units import format_size

    size = "" if here.bytes is None else format_size(here.bytes)
    return [
        MARKS[here.state],
        (model.plan.name, ""),
        (model.origin, ""),
        (short(here.commit), "dim"),
        (size, ""),
        (here.state, MARKS[here.state][1]),
        (", ".join(model.used_by), "dim"),
    ]
