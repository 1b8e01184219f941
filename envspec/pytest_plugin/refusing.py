"""What a test is told that cannot have its environment: it is skipped where the host lacks something, else it fails."""

from __future__ import annotations

import os
from typing import NoReturn, TypeGuard

import pytest
from _pytest.outcomes import Failed

from envspec.errors import EnvspecError, RequirementError
from envspec.pytest_plugin.interrupt import StartCutShort
from envspec.pytest_plugin.naming import Naming
from envspec.pytest_plugin.text import one_line, reason, whole_story, with_hint
from envspec.pytest_plugin.wanted import Wanted
from envspec.session.request import assignments


class EnvironmentNotStarted(Failed):
    """The environment that a test wants did not start; `story` is all that is known of why."""

    __module__ = "builtins"  # as pytest's own outcomes: its name alone says enough

    def __init__(self, message: str, story: str, wanted: Wanted) -> None:
        super().__init__(message, pytrace=False)
        self.story = story
        self.wanted = wanted


def check_name(wanted: Wanted, naming: Naming) -> None:
    """Fail a test whose environment there is no file of."""
    unknown = ""
    try:
        naming.file(wanted.name)
    except EnvspecError as error:
        unknown = with_hint(error)
    if unknown:
        pytest.fail(unknown, pytrace=False)  # out here, or pytest would show both errors


def check_options(config: pytest.Config, naming: Naming) -> None:
    """Refuse options that no environment could be started with, before any test runs."""
    try:
        for name in config.getoption("--env"):
            naming.file(name)
        assignments("--env-set", config.getoption("--env-set"))
    except EnvspecError as error:
        raise pytest.UsageError(with_hint(error)) from error


def is_skip(error: EnvspecError, config: pytest.Config) -> TypeGuard[RequirementError]:
    """Tell whether tests are skipped of this: the host lacks something, and --env-strict does not forbid it."""
    return isinstance(error, RequirementError) and not config.getoption("--env-strict")


def cut_short(wanted: Wanted, cut: Failed, waited_for: str) -> NoReturn:
    """Let a test that was ended while its environment was starting say so, and what was waited for."""
    waiting = f" (waiting for {waited_for})" if waited_for else ""
    message = f"{str(cut.msg).rstrip('.')}, while environment {wanted.name} was starting{waiting}"
    raise StartCutShort(message, pytrace=False)


class Refusals:
    """Tells tests why their environment did not start: the first one what happened, the others which one that is."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._first: dict[Wanted, tuple[str, str]] = {}
        self._process = os.getpid()

    def again(self, wanted: Wanted) -> None:
        """Fail a test whose environment did not start for an earlier one: pytest would repeat what that was told.

        In a fork of this process it fails as well: the threads that start environments and hear of them are not there.
        """
        if os.getpid() != self._process:
            what = f"environment {wanted.name} belongs to the parent of this process, and cannot be had in a fork of it"
            pytest.fail(f"{what}\nhint: run this test without forking, which pytest --forked does", pytrace=False)
        if wanted in self._first:
            raise EnvironmentNotStarted(*self._first[wanted], wanted)

    def refuse(self, wanted: Wanted, error: EnvspecError, test: str) -> NoReturn:
        """Let a test hear why its environment did not start."""
        if is_skip(error, self._config):
            pytest.skip(f"environment {wanted.name}: {reason(error)}")
        message = f"environment {wanted.name} did not start: {one_line(error)}"
        story = whole_story(error)
        self._first[wanted] = (f"{message}, as for {test}", story)
        raise EnvironmentNotStarted(message, story, wanted)
