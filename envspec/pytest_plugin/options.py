"""The options of the pytest plugin. Every run of pytest imports this, so it imports nothing of envspec."""

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest

GROUP = "envspec"


def declare(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup(GROUP, "test environments")
    _which(group)
    _how_many(group)
    _how_long(group)
    _when_it_fails(group)


def _which(group: pytest.OptionGroup) -> None:
    """Declare which environments tests run in, and what is different in them."""
    group.addoption(
        "--env",
        dest="envspec_env",  # an `--env` of the project's own has `env`
        type=_name,
        action="append",
        default=[],
        metavar="NAME",
        help="environment that tests run in: a name in environments/ or a path. "
        "Given several times, the tests that use one run once in each.",
    )
    group.addoption(
        "--env-set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override one of the environment's vars (repeatable)",
    )
    group.addoption(
        "--env-strict",
        action="store_true",
        help="fail, instead of skip, where this host lacks what an environment requires",
    )


def _how_many(group: pytest.OptionGroup) -> None:
    """Declare who shares environments, and in which order tests come to them."""
    group.addoption(
        "--env-per-worker", action="store_true", help="under xdist, give each worker environments of its own"
    )
    group.addoption(
        "--env-up", type=_count, default=4, metavar="N", help="environments that may be up at once (default: 4)"
    )
    group.addoption(
        "--env-order",
        choices=("group", "keep"),
        default="group",
        help="group tests by environment, those that use none first (default), or keep the order as it is",
    )


def _how_long(group: pytest.OptionGroup) -> None:
    """Declare what outlives the run, and what is there before it."""
    group.addoption("--env-keep", action="store_true", help="leave environments up after the tests")
    group.addoption(
        "--env-attach", action="store_true", help="use a running session of the same environment, if there is one"
    )
    group.addoption(
        "--env-warm", action="store_true", help="as --env-attach, and leave what had to be started up for the next run"
    )
    group.addoption(
        "--env-ttl",
        type=_duration,
        metavar="DURATION",
        help="how long --env-warm leaves an environment up after its last use, as 10m (default: 30m)",
    )


def _when_it_fails(group: pytest.OptionGroup) -> None:
    """Declare what happens when something dies, and what is told of a run."""
    group.addoption(
        "--env-on-crash",
        choices=("error", "restart"),
        default="error",
        help="after a service died: let the tests that follow error at once (default), or start the environment anew",
    )
    group.addoption(
        "--env-report",
        type=_place,
        metavar="PATH",
        help="after a failed run, write there what it takes to understand it: a directory, or a file that ends in .zip",
    )
    group.addoption(
        "--env-timeline", action="store_true", help="show at the end where the time went: starts, tests, stops"
    )


def _name(text: str) -> str:
    """Read the name of an environment; an unset variable of a script means none."""
    if not text:
        raise ArgumentTypeError("it names no environment: write --env=NAME, or leave it out")
    return text


def _duration(text: str) -> float:
    """Read a time with a unit."""
    from envspec.units import Duration

    try:
        return Duration.parse(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def _place(text: str) -> str:
    """Read where a report is to go; what cannot be is better known before the run."""
    from envspec.report.place import refusal

    if wrong := refusal(text):
        raise ArgumentTypeError(wrong)
    return text


def _count(text: str) -> int:
    """Read a number of environments."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no number of environments: it must be 1 or more")
    return int(text)
