"""One answer for all who belong together: which commit a branch was at when the first of them asked.

Whoever shares a Host (a session's fetcher, a pull, a model loader) asks once. So do the processes of one pytest run
(workers, sessions, fetchers), which share a directory, named by RUN_DIRECTORY: the first asks and notes the answer
there, while the others wait, and they take it for what the branch is at, even if it has moved since.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from envspec.errors import EnvspecError, ModelUnavailableError
from envspec.models.hub.options import Hub
from envspec.models.lock import only_one
from envspec.models.source import Host

RUN_DIRECTORY = "ENVSPEC_RUN_DIR"
"""The variable. The directory is made by the first that has something to note."""

Ask = Callable[[], str]
"""Asks the hub for a commit."""


def once(options: Hub, host: Host, ask: Ask, *, what: str = "") -> str:
    """Return the commit that those who share `host` have for a branch. The first of them asks, the others wait.

    They fail together, too; whoever comes later asks again. Two that bear different tokens may not be told the same,
    so each of them asks, and yet both take the commit that came first. `what` tells apart what is asked.

    Raises:
        EnvspecError: what `ask` raised.
    """
    question = f"{what}\n{_question(options, host)}"
    mine: Future[str] = Future()
    key = (question, host.environ.get(options.token_env, ""))
    asking: Future[str] = host.asked.setdefault(key, mine)
    if asking is not mine:
        return _answer(asking)
    try:
        commit: str = host.asked.get(question) or host.asked.setdefault(question, ask())
    except BaseException as error:
        del host.asked[key]
        mine.set_exception(error)
        raise
    mine.set_result(commit)
    return commit


def once_a_run(options: Hub, host: Host, ask: Ask) -> str:
    """Return the commit that this run has for a branch; `ask`, and note what it says, where there is none yet.

    Who waited for another to ask in vain does not try again what took that one so long.

    Raises:
        EnvspecError: what `ask` raised, here or in the process that was waited for.
    """
    place = _place(options, host)
    if place is None:
        return ask()
    came = time.time_ns()
    if not (commit := _noted(place)):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with only_one([place.with_suffix(".lock")], lambda _: None):
            if not (commit := _noted(place)):
                commit = _asked(place, came, ask)
    return commit


def _answer(asking: Future[str]) -> str:
    error = asking.exception()
    if isinstance(error, EnvspecError):  # one of our own: two threads that raise the same one share its traceback
        raise type(error)(str(error), hint=error.hint)
    return asking.result()


def _asked(place: Path, came: int, ask: Ask) -> str:
    from envspec.models.hub.attempts import GaveUpError

    in_vain = place.with_suffix(".failed")
    with suppress(OSError):
        if in_vain.stat().st_mtime_ns > came:
            raise ModelUnavailableError(**json.loads(in_vain.read_bytes()))
    try:
        commit = ask()
    except EnvspecError as error:
        if isinstance(error.__cause__, GaveUpError):  # a refusal comes at once, and may be about the token alone
            _write(in_vain, json.dumps({"message": str(error), "hint": error.hint}))
        raise
    _write(place, commit)
    return commit


def _noted(place: Path) -> str:
    with suppress(OSError):
        return place.read_text("ascii")
    return ""


def _write(place: Path, text: str) -> None:
    """Write a file whole or not at all: others read it without the lock."""
    with tempfile.NamedTemporaryFile("w", dir=place.parent, encoding="utf-8", delete=False) as file:
        file.write(text)
    Path(file.name).replace(place)


def _question(options: Hub, host: Host) -> str:
    return "\n".join((host.environ.get("HF_ENDPOINT", ""), options.repo, options.revision))


def _place(options: Hub, host: Host) -> Path | None:
    directory = host.environ.get(RUN_DIRECTORY)
    if not directory:
        return None
    return Path(directory) / hashlib.sha256(_question(options, host).encode()).hexdigest()[:32]
