"""`envspec models verify`: whether the files of models are what they should be."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from envspec.cli import terminal
from envspec.cli.options import set_option
from envspec.report.text import Line, line, one_line

if TYPE_CHECKING:
    from envspec.models.audit import Audit

WRONG = 3
"""This host cannot provide the model as it is."""
SHOWN = 10
"""Faults of a model that are named; a disk that fails spoils hundreds of files."""


@click.command
@click.argument("environments", metavar="[ENV]...", nargs=-1)
@set_option
def verify(environments: tuple[str, ...], sets: tuple[str, ...]) -> int:
    """Read the files of models again, and say what is wrong.

    Those of the environments ENV, or of all of the project. Sizes and digests are compared with what the hub said when
    they came; the hub is not asked. What is wrong is fetched or made again when it is needed next. Exits with 3 where
    something is wrong or missing.
    """
    from envspec.cli.models_declared import declared, load_chosen
    from envspec.models.audit import audit
    from envspec.models.source import Host
    from envspec.session.request import assignments

    models = declared(load_chosen(environments, assignments("--set", sets)))
    host, good = Host.of(os.environ), True
    width = max((len(model.plan.name) for model in models), default=0)
    for model in models:
        result = audit(model.plan.source, model.options, host)
        good = good and not result.faults
        terminal.show(_lines(model.plan.name.ljust(width), model.origin, result))
    if not models:
        click.echo("No environment here declares a model.", err=True)
    if not good:
        click.echo(
            f"`envspec models pull {' '.join(environments) or 'ENV'}` gets or makes again what it can.", err=True
        )
    return 0 if good else WRONG


def _lines(name: str, origin: str, result: Audit) -> list[Line]:
    from envspec.units import format_size

    if not result.faults:
        files = "1 file" if result.files == 1 else f"{result.files} files"
        return [line(("● ", "green"), f"{name}  {origin}  ", (f"{files}, {format_size(result.bytes)}", "dim"))]
    more = len(result.faults) - SHOWN
    told = [*result.faults[:SHOWN], *([f"and {more} more"] if more > 0 else [])]
    return [line(("✗ ", "red"), f"{name}  {origin}"), *(line(("    ", ""), (one_line(fault), "red")) for fault in told)]
