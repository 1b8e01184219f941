"""`envspec models pin`: commits instead of branches, written into the files that say them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import click

from envspec.cli import terminal
from envspec.cli.options import environment_argument
from envspec.errors import Diagnostic, EnvspecError, SpecError, UsageError
from envspec.report.failure import failure

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
    from envspec.spec.pin import pins_of, unpinned
    from envspec.spec.pin_writing import write_all

    (loaded,) = load_named([environment])
    models = unpinned(loaded)
    if check:
        _refuse(models, environment)
    pins_of(models, {})  # before the hub is asked in vain
    commits, errors = _commits(models, Host.of(os.environ))
    for error in errors:
        terminal.show(failure(error), sys.stderr)
    if errors:
        return max(error.exit_code for error in errors)
    texts = _edited(pins_of(models, commits))
    write_all(texts)
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


def _commits(models: list[Model], host: Host) -> tuple[dict[str, str], list[EnvspecError]]:
    """Return the commits that the models are at, asked side by side, and why those cannot be told that cannot."""
    from envspec.cli.models_declared import of_source
    from envspec.models.hub.resolve import current_commit
    from envspec.plan.plan import ModelPlan

    def commit(model: Model) -> str:
        options = of_source(ModelPlan(model.name, model.served_name, model.source, model.options, ""))
        return current_commit(options, host, lambda _: None)

    commits: dict[str, str] = {}
    errors: dict[str, EnvspecError] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for model, asked in [(model, pool.submit(commit, model)) for model in models]:
            try:
                commits[model.name] = asked.result()
            except UsageError as error:  # of a variable, which is wrong for all of them
                errors.setdefault(str(error), error)
            except EnvspecError as error:
                message = f"model {model.name}: {error} ({model.position})"
                errors[message] = type(error)(message, hint=error.hint)
    return commits, list(errors.values())


def _edited(pins: list[Pin]) -> Mapping[str, str]:
    """Return the new text of every file that says one of the models; none is written before all of them are well.

    Raises:
        SpecError: commits cannot be written; names every model of which that is so.
    """
    from envspec.spec.pin import pinned

    texts: dict[str, str] = {}
    found: list[Diagnostic] = []
    for file in dict.fromkeys((pin.revision or pin.repo).file for pin in pins):
        own = [pin for pin in pins if (pin.revision or pin.repo).file == file]
        try:
            texts[file] = pinned(Path(file).read_bytes().decode(), file, own)
        except SpecError as error:
            found += error.diagnostics
    if found:
        raise SpecError(found)
    return texts
