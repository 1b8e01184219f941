"""`envspec show`: an environment as envspec understands it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from envspec.cli import terminal
from envspec.cli.options import environment_argument, format_option, set_option

if TYPE_CHECKING:
    from envspec.cli.models_declared import Declared


@click.command
@environment_argument
@set_option
@format_option("yaml", "json")
def show(environment: str, sets: tuple[str, ...], form: str) -> int:
    """Show an environment as envspec understands it.

    Everything is resolved: what was extended and used, every template, every port by its name. Numbers that are
    leased at the start are `auto`, and where they are used stands whose they are. Secrets are `***`.
    """
    from envspec.cli.models_declared import declared
    from envspec.plan.redact import redacted, secrets_of
    from envspec.report.shown_environment import bindings_for_show, shown_environment
    from envspec.resolve import outline, resolve
    from envspec.resolve.environ import inherited
    from envspec.session.request import assignments
    from envspec.spec.find import find
    from envspec.spec.load import load

    loaded = load(find(environment, Path.cwd()), sets=assignments("--set", sets), environ=os.environ)
    asked = outline(loaded)
    models = {name: bool(model.repo) for name, model in loaded.models.items()}
    plan = resolve(loaded, bindings_for_show(asked.ports, models), os.environ)
    secrets = secrets_of([os.environ], plan)
    data = shown_environment(plan, asked, inherited(os.environ, loaded.inherit_env), loaded.inherit_env, loaded.vars)
    for model in declared([loaded]):
        data["models"][model.plan.name] |= _whereabouts(model)
    if form == "json":
        terminal.show_json(redacted(data, secrets))
    else:
        terminal.show_yaml(redacted(data, secrets))
    return 0


def _whereabouts(model: Declared) -> dict[str, Any]:
    """Return what is known of a model without asking the hub: its commit, its path, and whether its files are here."""
    from envspec.models.source import Host
    from envspec.models.store import stored

    here = stored(model.plan.source, model.options, Host.of(os.environ))
    known = {"commit": here.commit, "path": here.path}
    return {**{key: text for key, text in known.items() if text}, "cached": here.is_cached}
