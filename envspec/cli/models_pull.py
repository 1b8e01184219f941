"""`envspec models pull`: models onto this machine before anything needs them."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from envspec.cli import terminal
from envspec.cli.error_handler import INTERRUPTED
from envspec.cli.options import DEFAULT_ENVIRONMENT, set_option
from envspec.errors import EnvspecError, ModelUnavailableError, UsageError
from envspec.report.failure import failure

if TYPE_CHECKING:
    from envspec.cli.models_progress import Board
    from envspec.models.source import Host
    from envspec.plan.plan import ModelPlan

_REPO_AND_REVISION = re.compile(r"([^@]+)(?:@(.+))?")


@click.command
@click.argument("what", metavar="[ENV | ORG/NAME[@REVISION]]", default=DEFAULT_ENVIRONMENT)
@set_option
def pull(what: str, sets: tuple[str, ...]) -> int:
    """Fetch the models of an environment, or a repository of the hub.

    They are verified, and shared with every program that uses the cache of the hub. Exits with 3 where one cannot be
    had; the others are fetched all the same.
    """
    from envspec.cli.models_progress import board_on
    from envspec.models.source import Host

    plans = _wanted(what, sets)
    if not plans:
        click.echo(f"{what} declares no model.", err=True)
        return 0
    with _left_at_once(board := board_on(sys.stderr, [plan.name for plan in plans])):
        errors = _fetch_all(plans, Host.of(os.environ), board)
    for error in errors:
        terminal.show(failure(error), sys.stderr)
    return ModelUnavailableError.exit_code if errors else 0


def _wanted(what: str, sets: tuple[str, ...]) -> list[ModelPlan]:
    """Return the models of an environment, or the one that a repository is.

    Raises:
        UsageError: it is neither.
        SpecError: the environment is wrong.
    """
    from envspec.cli.models_declared import declared, load_named
    from envspec.plan.plan import ModelPlan
    from envspec.session.request import assignments
    from envspec.spec.find import SUFFIXES
    from envspec.spec.model_spec import is_repository

    repo, revision = _REPO_AND_REVISION.fullmatch(what).groups()  # type: ignore[union-attr]
    if "@" in what or ("/" in what and not what.endswith(SUFFIXES) and not Path(what).exists()):
        if sets:
            message = f"--set gives values to the vars of an environment, and {what} is a repository"
            raise UsageError(message)
        if not is_repository(repo):
            message = f"{what} is neither an environment nor a repository such as org/name"
            raise UsageError(message)
        options = {"repo": repo, "revision": revision or "main"}
        return [ModelPlan(repo, repo, "repo", options, "")]
    return [model.plan for model in declared(load_named([what], assignments("--set", sets)))]


def _fetch_all(plans: list[ModelPlan], host: Host, board: Board) -> list[EnvspecError]:
    """Fetch side by side, as a session does; return what went wrong, and raise what nobody expected."""
    from envspec.models import fetcher
    from envspec.plan.codec import to_json

    errors: list[EnvspecError] = []
    pool = ThreadPoolExecutor(fetcher.AT_ONCE["fetch"])
    try:
        jobs: dict[Future[Mapping[str, Any]], str] = {
            pool.submit(fetcher.fetch, to_json(plan), host, partial(board.tell, plan.name)): plan.name for plan in plans
        }
        for job in as_completed(jobs):
            try:
                board.done(jobs[job], job.result())
            except EnvspecError as error:
                board.failed(jobs[job])
                errors.append(_named(jobs[job], error))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # on Ctrl-C nobody waits for what is under way
    return errors


def _named(name: str, error: EnvspecError) -> EnvspecError:
    """Return the error with the name of the model, unless it says that already."""
    return error if name in str(error) else type(error)(f"model {name}: {error}", hint=error.hint)


@contextmanager
def _left_at_once(board: Board) -> Iterator[None]:
    """Give the terminal back, and end on Ctrl-C without waiting for threads that read from the network.

    Nobody trusts what is half done then, and the kernel frees its locks.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        board.close()
        os._exit(INTERRUPTED)
    finally:
        board.close()
        signal.signal(signal.SIGINT, before)
