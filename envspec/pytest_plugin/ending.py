"""The last steps of a run. Each is tried, whatever became of those before it, or environments would be left up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from envspec.pytest_plugin.keys import MODELS, POOL
from envspec.pytest_plugin.last_words import words_of

if TYPE_CHECKING:
    from _pytest._code.code import Traceback


def end(session: pytest.Session) -> None:
    """Release all engines, and take down what the run has."""
    config = session.config
    interrupted = False
    if MODELS in config.stash:
        interrupted |= tried(config, "the engines could not be released", config.stash[MODELS].close)
    if POOL in config.stash:
        interrupted |= config.stash[POOL].close()
    if interrupted:
        session.exitstatus = pytest.ExitCode.INTERRUPTED


def end_fixtures(session: pytest.Session) -> None:
    """End the fixtures that are left, as pytest would do next: where one fails, pytest ends with a bare traceback."""
    state: Any = session
    fixtures = state._setupstate  # noqa: SLF001
    if tried(session.config, "the last fixtures could not be ended", lambda: fixtures.teardown_exact(None)):
        session.exitstatus = pytest.ExitCode.INTERRUPTED


def tried(config: pytest.Config, failure: str, step: Callable[[], object]) -> bool:
    """Take a step; tell whether Ctrl-C came meanwhile. One that fails is told under `failure`, and fails the run."""
    found = pytest.CallInfo.from_call(step, "teardown").excinfo
    if found is None:
        return False
    if found.errisinstance((KeyboardInterrupt, pytest.exit.Exception)):
        return True
    words = words_of(config)
    words.sections[failure] = _told(found)
    words.lost = True
    return False


def _told(found: pytest.ExceptionInfo[BaseException]) -> str:
    """Return what is known of an error: of ours its words alone, of others also where it came from."""
    from envspec.errors import EnvspecError
    from envspec.pytest_plugin.text import whole_story

    if isinstance(found.value, EnvspecError):
        return whole_story(found.value)
    return str(found.getrepr(style="short", tbfilter=_of_others))


def _of_others(found: pytest.ExceptionInfo[BaseException]) -> Traceback:
    """Leave out how pytest and envspec came to where it happened."""
    from envspec.pytest_plugin.interrupt import OURS, PLUGGY, PYTEST

    theirs = found.traceback.filter(lambda entry: not str(entry.path).startswith((PLUGGY, PYTEST, OURS)))
    return theirs or found.traceback
