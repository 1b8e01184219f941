"""`envspec list`: the project's environments, and whether this host can run them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from envspec.cli import terminal
from envspec.cli.options import format_option
from envspec.errors import RequirementError, SpecError
from envspec.record import Record
from envspec.report.text import Span, columns

if TYPE_CHECKING:
    from envspec.spec.environment import Environment


class Listed(Record):
    """One environment; `missing` and `errors` are why it cannot run here, `uncached` are models that it would fetch.

    `name` is what commands take for it: its name, or the path to it where the name is that of another.
    """

    name: str
    file: str
    description: str = ""
    services: list[str] = field(default_factory=list)
    runnable: bool = True
    missing: list[str] = field(default_factory=list)
    uncached: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@click.command("list")
@format_option()
def list_environments(form: str) -> int:
    """List environments and whether this host can run them."""
    from envspec.spec.find import environments

    listed = [_look_at(file, name) for name, file in _called(environments(Path.cwd()))]
    if form == "json":
        terminal.show_json([asdict(one) for one in listed])
    elif listed:
        terminal.show(columns([_row(one) for one in listed]), cut=True)
    else:
        click.echo("There are no environments here; `envspec init` writes a first one.", err=True)
    return 0


def _called(files: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """Yield environments by what commands take for them."""
    from envspec.spec.find import name_of

    taken: set[str] = set()
    for file in files:
        name = name_of(file)
        yield (os.path.relpath(file) if name in taken else name), file
        taken.add(name)


def _look_at(file: Path, name: str) -> Listed:
    from envspec.resolve import outline, resolve, stand_in
    from envspec.session.programs import missing_programs
    from envspec.session.requirements import check_requirements
    from envspec.spec.load import load

    try:
        environment = load(file, environ=os.environ)
        bindings = stand_in(environment)
        plan = resolve(environment, bindings, os.environ)
    except SpecError as error:
        errors = [f"{item.file}:{item.line}:{item.column}: {item.message}" for item in error.diagnostics]
        return Listed(name, str(file), runnable=False, errors=errors)
    services = [service.name for service in environment.services.values() if service.enabled]
    listed = Listed(name, str(file), environment.description, services, uncached=_uncached(environment))
    programs = partial(missing_programs, plan, bindings.made)
    try:
        check_requirements(outline(environment), os.environ, programs)
        missing = programs()
    except RequirementError as error:
        missing = list(error.missing)
    return replace(listed, runnable=not missing, missing=missing)


def _uncached(environment: Environment) -> list[str]:
    """Return the models that are not on this machine, as far as it knows by itself."""
    from envspec.cli.models_declared import declared
    from envspec.models.source import Host
    from envspec.models.store import stored

    host, models = Host.of(os.environ), declared([environment])
    return [one.plan.name for one in models if not stored(one.plan.source, one.options, host).is_cached]


def _row(one: Listed) -> list[Span]:
    if one.errors:
        return [("✗", "red"), (one.name, ""), (f"{one.errors[0]}", "red")]
    if one.missing:
        return [("✗", "yellow"), (one.name, ""), ("; ".join(one.missing), "yellow")]
    said = [*([_needs(one.uncached)] if one.uncached else []), " ".join(one.description.split())]
    return [("●", "green"), (one.name, ""), (" · ".join(filter(None, said)), "dim")]


def _needs(uncached: list[str]) -> str:
    return f"needs {len(uncached)} {'model that is' if len(uncached) == 1 else 'models that are'} not cached"
