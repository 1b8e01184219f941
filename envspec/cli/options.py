"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from envspec.session.request import Request

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_ENVIRONMENT = "local"

environment_argument = click.argument("environment", metavar="[ENV]", default=DEFAULT_ENVIRONMENT)
session_option = click.option(
    "--session", "session", metavar="ID", help="The session, where more than one runs: its id, or its environment."
)
set_option = click.option(
    "--set", "sets", metavar="KEY=VALUE", multiple=True, help="Give a var of the file another value; repeatable."
)
backend_option = click.option("--backend", default="local", show_default=True, help="Where the environment runs.")


def format_option(*others: str) -> Callable[[Command], Command]:
    """Return the option `--format`, text by default, with json and `others` beside it."""
    default, *_ = choices = ["text", "json"] if not others else [*others]
    return click.option(
        "--format", "form", type=click.Choice(choices), default=default, show_default=True, help="How to write it."
    )


def request(
    environment: str, sets: tuple[str, ...], *, keep_on_failure: bool = False, backend: str = "local"
) -> Request:
    """Return what a session is asked for: the file that ENV names, and this process's environment.

    Raises:
        UsageError: there is no such environment, or a `--set` is no assignment.
    """
    import os

    from envspec.session.request import Request, assignments
    from envspec.spec.find import find

    return Request(
        file=find(environment, Path.cwd()),
        sets=assignments("--set", sets),
        environ=dict(os.environ),
        keep_on_failure=keep_on_failure,
        backend=backend,
    )
