"""Where `--env-report` has its report, and what an earlier run left there."""

from __future__ import annotations

from pathlib import Path

import pytest


def report_place(config: pytest.Config) -> Path:
    """Return the place, as people read it: from where pytest was called, and without a way back in it."""
    place = Path(config.invocation_params.dir, config.getoption("--env-report"))
    return place.resolve() if ".." in place.parts else place


def remove_earlier(config: pytest.Config) -> None:
    """Remove the report of an earlier run: who collects it whatever the run's end would show failures of long ago.

    Nothing is removed where no test will run, nor by a worker of xdist's.
    """
    if config.option.collectonly or hasattr(config, "workerinput"):
        return
    from envspec.report.place import remove

    place = report_place(config)
    try:
        remove(place)
    except OSError as error:
        from envspec.pytest_plugin.last_words import words_of

        wrong = f"the report of an earlier run could not be removed from {place}: {error.strerror or error}"
        words_of(config).lines.append(f"envspec: {wrong}")
