"""Which models the environments of a project declare: what every `envspec models` command begins with."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

import click

from envspec.errors import SpecError
from envspec.models import SOURCES
from envspec.plan.plan import ModelPlan
from envspec.record import Record
from envspec.spec.environment import Environment


class Declared(Record):
    """A model, and the names of the environments that declare it just so."""

    plan: ModelPlan
    options: Any
    used_by: list[str] = field(default_factory=list)

    @property
    def origin(self) -> str:
        """Where it comes from, in a few words: `org/name@main`, a path, `synthetic qwen3`."""
        said = self.plan.options
        if "repo" in said:
            only = " (tokenizer)" if said.get("tokenizer_only") else ""
            return f"{said['repo']}@{short(str(said.get('revision', 'main')))}{only}"
        return str(said.get("path") or f"{self.plan.source} {said.get('architecture', '')}".rstrip())


def short(revision: str) -> str:
    """Return a revision as people read it: of a commit the first 12 digits."""
    return revision[:12] if len(revision) == 40 else revision


def load_named(names: Sequence[str], sets: Mapping[str, str] | None = None) -> list[Environment]:
    """Return the environments of these names or paths.

    Raises:
        UsageError: there is none of such a name.
        SpecError: one of them is wrong.
    """
    from envspec.spec.find import find
    from envspec.spec.load import load

    return [load(find(name, Path.cwd()), sets=sets or {}, environ=os.environ) for name in names]


def load_chosen(names: Sequence[str], sets: Mapping[str, str] | None = None) -> list[Environment]:
    """Return the environments of these names, or all of the project, less those that are wrong, which are named.

    Raises:
        UsageError: there is none of such a name.
        SpecError: one that is named is wrong.
    """
    if names:
        return load_named(names, sets)
    loaded, wrong = load_all()
    warn_of(wrong)
    return loaded


def load_all() -> tuple[list[Environment], list[SpecError]]:
    """Return the environments of the project, and what is wrong with those that are."""
    from envspec.spec.find import environments
    from envspec.spec.load import load

    loaded, wrong = [], []
    for file in environments(Path.cwd()):
        try:
            loaded.append(load(file, environ=os.environ))
        except SpecError as error:
            wrong.append(error)
    return loaded, wrong


def declared(environments: Iterable[Environment]) -> list[Declared]:
    """Return their models, each once, in the order of the files."""
    found: dict[str, Declared] = {}
    for environment in environments:
        for model in environment.models.values():
            plan = ModelPlan(
                name=model.name,
                served_name=model.served_name,
                source=model.source,
                options=model.options,
                path="",
                preload=model.preload,
                position=model.position,
            )
            known = found.setdefault(repr(replace(plan, preload=True, position="")), Declared(plan, of_source(plan)))
            known.used_by.append(environment.name)
    return list(found.values())


def of_source(plan: ModelPlan) -> Any:
    """Return a plan's options as the dataclass of its source."""
    return SOURCES[plan.source].options(**plan.options)


def warn_of(wrong: Iterable[SpecError]) -> None:
    """Say on stderr which environments could not be read."""
    for error in wrong:
        first = error.diagnostics[0]
        click.echo(f"{first.file}:{first.line}:{first.column}: left out: {first.message}", file=sys.stderr)
