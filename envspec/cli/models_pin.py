"""`envspec models pin`: commits instead of branches, written into the files that say them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import click

from envspec.cli.options import environment_argument
from envspec.errors import SpecError

if TYPE_CHECKING:
    from envspec.models.source import Host
    from envspec.spec.environment import Model
    from envspec.spec.pin import Pin

AT_ONCE = 8


@click.command
@environment_argument
@click.option("--check", is_flag=True, help="Write nothing; exit with 2 where a model is not pinned.")
def pin(environment: str, *, check: bool) -> int:
    """Write commits into the file, instead of branches and tags.

    What `revision:` says is replaced, or written behind `repo:`; all else of the file stays as it is. A model of a file
    that is extended is pinned there.
    """
    from envspec.cli.models_declared import load_named, short
    from envspec.models.source import Host
    from envspec.spec.pin import pin_of, unpinned

    (loaded,) = load_named([environment])
    models = unpinned(loaded)
    if check:
        _refuse(models, environment)
    pins = {model.name: pin_of(model, "") for model in models}  # before the hub is asked in vain
    commits = dict(zip(pins, _commits(models, Host.of(os.environ)), strict=True))
    texts = _edited([pin_of(model, commits[model.name]) for model in models])
    for file, text in texts.items():
        Path(file).write_bytes(text.encode())
    for model in models:
        click.echo(f"{model.mark.file}: {model.name} is pinned to {commits[model.name]} ({short(model.revision)})")
    if not models:
        click.echo(f"{environment}: there is nothing to pin")
    return 0


def _refuse(models: list[Model], environment: str) -> None:
    from envspec.spec.diagnostics import at

    hint = f"`envspec models pin {environment}` writes the commit that it is at"
    found = []
    for model in models:
        key = model.tree.key("revision") or model.tree.key("repo")
        mark = model.mark if key is None else key.mark
        message = f"the model '{model.name}' is at '{model.revision}', which may mean something else tomorrow"
        found.append(at(mark, "not-pinned", message, hint))
    if found:
        raise SpecError(found)


def _commits(models: list[Model], host: Host) -> list[str]:
    """Return the commits that the models are at, asked side by side."""
    from envspec.cli.models_declared import of_source
    from envspec.models.hub.resolve import current_commit
    from envspec.plan.plan import ModelPlan

    def commit(model: Model) -> str:
        options = of_source(ModelPlan(model.name, model.served_name, model.source, model.options, ""))
        return current_commit(options, host, lambda _: None)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(commit, models))


def _edited(pins: list[Pin]) -> Mapping[str, str]:
    """Return the new text of every file that says one of the models; none is written before all of them are well."""
    from envspec.spec.pin import pinned

    files = dict.fromkeys((pin.revision or pin.repo).file for pin in pins)
    return {
        file: pinned(
            Path(file).read_bytes().decode(), file, [pin for pin in pins if (pin.revision or pin.repo).file == file]
        )
        for file in files
    }
