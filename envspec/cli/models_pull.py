"""`envspec models pull`: models onto this machine before anything needs them."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from envspec.cli import terminal
from envspec.cli.error_handler import INTERRUPTED
from envspec.cli.options import DEFAULT_ENVIRONMENT, set_option
from envspec.errors import EnvspecError, UsageError
from envspec.report.failure import failure
from envspec.report.text import first_line, line

if TYPE_CHECKING:
    from envspec.cli.models_progress import Board
    from envspec.models.source import Host
    from envspec.plan.plan import ModelPlan

LOOK_UP = 0.1
"""Seconds after which Ctrl-C is seen at the latest."""
PATIENCE = 0.5
"""Seconds that downloads have to clear up after Ctrl-C; one that is stalled needs more, and is cleared up after."""
INTERRUPTION = line("interrupted; nothing was kept of what was under way, and what came before is complete")


@click.command
@click.argument("what", metavar="[ENV | ORG/NAME[@REVISION]]...", nargs=-1)
@set_option
def pull(what: tuple[str, ...], sets: tuple[str, ...]) -> int:
    """Fetch the models of environments, or repositories of the hub.

    Without an argument those of `local`, as `up` takes it; `list` and `verify` look at all environments then. Models
    are verified, and shared with every program that uses the cache of the hub. What several name is fetched once.
    Exits with 3 where one cannot be had; the others are fetched all the same.
    """
    from envspec.cli.models_progress import board_on
    from envspec.models.source import Host

    names = what or (DEFAULT_ENVIRONMENT,)
    plans = _wanted(names, sets)
    if not plans:
        click.echo(f"{', '.join(names)} {'declares' if len(names) == 1 else 'declare'} no model.", err=True)
        return 0
    host = Host.of(os.environ)
    errors: list[EnvspecError] = []
    with _left_at_once(board := board_on(sys.stderr, [plan.name for plan in plans]), errors):
        _fetch_all(plans, host, board, errors)
    _tell(errors)
    return max((error.exit_code for error in errors), default=0)


def _wanted(names: Sequence[str], sets: tuple[str, ...]) -> list[ModelPlan]:
    """Return the models of environments and those that repositories are, each once, by names that tell them apart.

    Raises:
        UsageError: one is neither an environment nor a repository.
        SpecError: an environment is wrong.
    """
    from envspec.cli.models_declared import declared, load_named, of_source
    from envspec.session.request import assignments

    repositories = [name for name in dict.fromkeys(names) if _means_repository(name)]
    environments = [name for name in dict.fromkeys(names) if name not in repositories]
    if sets and not environments:
        message = f"--set gives values to the vars of an environment, and {repositories[0]} is a repository"
        raise UsageError(message)
    models = declared(load_named(environments, assignments("--set", sets)))
    called = [(model.plan, f"{model.plan.name} ({', '.join(model.used_by)})") for model in models]
    called += [(_of_repository(name), name) for name in repositories]
    once = {(plan.source, of_source(plan)): (plan, name) for plan, name in reversed(called)}
    found = [*once.values()][::-1]
    names_of = Counter(plan.name for plan, _ in found)
    return [plan if names_of[plan.name] == 1 else replace(plan, name=name) for plan, name in found]


def _means_repository(name: str) -> bool:
    from envspec.spec.find import SUFFIXES

    return "@" in name or ("/" in name and not name.endswith(SUFFIXES) and not Path(name).exists())


def _of_repository(name: str) -> ModelPlan:
    """Return the model that a repository is, at a revision or at main.

    Raises:
        UsageError: there can be no such repository, or no such revision.
    """
    from envspec.models.hub.options import is_repository, revision_error
    from envspec.plan.plan import ModelPlan

    repo, _, revision = name.partition("@")
    if not is_repository(repo):
        message = f"{name} is neither an environment nor a repository such as org/name"
        raise UsageError(message)
    if problem := revision_error(revision) if "@" in name else "":
        message = f"the revision of {name}: {problem}"
        raise UsageError(message)
    return ModelPlan(repo, repo, "repo", {"repo": repo, "revision": revision or "main"}, "")


def _tell(errors: Iterable[EnvspecError]) -> None:
    for error in errors:
        terminal.show(failure(error), sys.stderr)


def _fetch_all(plans: list[ModelPlan], host: Host, board: Board, errors: list[EnvspecError]) -> None:
    """Fetch side by side, as a session does; add what goes wrong to `errors`, and raise what nobody expected."""
    from envspec.models import fetcher
    from envspec.plan.codec import to_json

    pool = ThreadPoolExecutor(fetcher.AT_ONCE["fetch"])
    try:
        jobs: dict[Future[Mapping[str, Any]], ModelPlan] = {
            pool.submit(fetcher.fetch, to_json(plan), host, partial(board.tell, plan.name)): plan for plan in plans
        }
        for job in _as_completed(jobs):
            try:
                board.done(jobs[job].name, job.result())
            except EnvspecError as error:
                # Where it is the last, or all will fail alike, what went wrong is told right after this.
                goes_on = not isinstance(error, UsageError) and any(not other.done() for other in jobs)
                board.failed(jobs[job].name, first_line(str(error)) if goes_on else "")
                told = _told(jobs[job], error)
                errors += [told] if str(told) not in map(str, errors) else []
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # on Ctrl-C nobody waits for what is under way


def _as_completed(jobs: Collection[Future[Mapping[str, Any]]]) -> Iterator[Future[Mapping[str, Any]]]:
    """Yield jobs as they end. A signal that another thread receives does not wake this one, so it wakes by itself."""
    left = set(jobs)
    while left:
        done, left = wait(left, LOOK_UP, FIRST_COMPLETED)
        yield from done


def _told(plan: ModelPlan, error: EnvspecError) -> EnvspecError:
    """Return the error with the name of the model, unless it says that already, and with the place that declares it.

    A mistake in a variable has to do with no model, and is told once.
    """
    if isinstance(error, UsageError):
        return error
    message = str(error) if plan.name in str(error) else f"model {plan.name}: {error}"
    return type(error)(f"{message} ({plan.position})" if plan.position else message, hint=error.hint)


@contextmanager
def _left_at_once(board: Board, errors: Iterable[EnvspecError]) -> Iterator[None]:
    """Give the terminal back, and end on Ctrl-C without waiting for threads that read from the network.

    What went wrong until then is told. Nothing stays of what is half done then, and the kernel frees its locks.
    """
    from envspec.models.clearing import clear_away

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # this takes no time that a second one could save
        board.close()
        _tell(errors)
        terminal.show([INTERRUPTION], sys.stderr)
        clear_away(PATIENCE)  # last, since threads go on writing until the end
        os._exit(INTERRUPTED)
    finally:
        board.close()
        signal.signal(signal.SIGINT, before)
