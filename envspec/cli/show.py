"""`envspec show`: an environment as envspec understands it."""

from __future__ import annotations

import os
from pathlib import Path

import click

from envspec.cli import terminal
from envspec.cli.options import environment_argument, format_option, set_option


@click.command
@environment_argument
@set_option
@format_option("yaml", "json")
def show(environment: str, sets: tuple[str, ...], form: str) -> int:
    """Show an environment as envspec understands it.

    Everything is resolved: what was extended and used, every template, every port by its name. Numbers that are
    leased at the start are `auto`, and where they are used stands whose they are. Secrets are `***`.
    """
    from envspec.plan.redact import redacted, secrets_of
    from envspec.report.shown_environment import bindings_for_show, shown_environment
    from envspec.resolve import outline, resolve
    from envspec.resolve.environ import inherited
    from envspec.session.request import assignments
    from envspec.spec.find import find
    from envspec.spec.load import load

    loaded = load(find(environment, Path.cwd()), sets=assignments("--set", sets), environ=os.environ)
    asked = outline(loaded)
    plan = resolve(loaded, bindings_for_show(asked.ports, tuple(loaded.models)), os.environ)
    secrets = secrets_of([os.environ, *(replica.env for replica in plan.replicas)])
    data = shown_environment(plan, asked, inherited(os.environ, loaded.inherit_env), loaded.inherit_env, loaded.vars)
    if form == "json":
        terminal.show_json(redacted(data, secrets))
    else:
        terminal.show_yaml(redacted(data, secrets))
    return 0
