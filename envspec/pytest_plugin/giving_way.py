"""Giving way to a project that has an option of its own with one of our names.

pytest refuses to declare a name twice, with a traceback that does not say who was first. Who writes `--env` into a
conftest.py does not mean ours, and has envspec installed for something else: there, envspec is not in use. So our
options are taken back while conftest.py files are read, and declared again where none has claimed a name.
"""

from __future__ import annotations

from typing import Any

import pytest

from envspec.pytest_plugin.options import GROUP


def take_back(parser: pytest.Parser) -> frozenset[str]:
    """Declare our options no longer, and return their names."""
    group: Any = parser.getgroup(GROUP)
    options, group.options = group.options, []
    parsing = getattr(parser, "optparser", None)  # before pytest 9, one is made of the groups for each parsing
    if parsing is not None:
        # argparse has no public way back. It takes an action out like this itself, when told to resolve conflicts.
        for option in options:
            group._arggroup._remove_action(option._action)  # noqa: SLF001
            for name in option.names():
                del parsing._option_string_actions[name]  # noqa: SLF001
    return frozenset(name for option in options for name in option.names())


def claimed(parser: pytest.Parser, names: frozenset[str]) -> list[str]:
    """Return those of the names that are declared now."""
    inner: Any = parser
    groups = dict.fromkeys([*inner._groups, inner._anonymous])  # noqa: SLF001
    return sorted(names.intersection(name for group in groups for option in group.options for name in option.names()))


class Absent:
    """Registered instead of the plugin, to say why that is not there."""

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def pytest_report_header(self, config: pytest.Config) -> str | None:
        """Tell it to who wants to know more."""
        if config.get_verbosity() < 1:
            return None
        return absence(self._names)


def absence(names: list[str]) -> str:
    """Say why envspec is not there."""
    return f"envspec: not in use, since this project declares {', '.join(names)} itself"
