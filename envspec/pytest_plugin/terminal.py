"""Lines in pytest's terminal while tests run: past capture, and none where the run is quiet or there is no terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


def is_told(config: pytest.Config) -> bool:
    """Tell whether somebody reads, and has not asked for quiet."""
    return config.pluginmanager.has_plugin("terminalreporter") and config.get_verbosity() >= 0


def can_rewrite(descriptor: int) -> bool:
    """Tell whether it leads to a terminal that can rewrite a line in place."""
    return os.isatty(descriptor) and os.environ.get("TERM") != "dumb"


def say(config: pytest.Config, line: str) -> None:
    """Write one line, and at once: whoever reads a pipe, as CI does, should not think that it hangs."""
    if is_told(config):
        with _fresh_line(config) as reporter:
            reporter.write_line(line)
            reporter.flush()


def end_line(config: pytest.Config) -> None:
    """End the line that pytest is in; it will begin another one by itself."""
    with _fresh_line(config) as reporter:
        reporter.flush()


@contextmanager
def _fresh_line(config: pytest.Config) -> Iterator[Any]:
    reporter, capture = map(config.pluginmanager.get_plugin, ("terminalreporter", "capturemanager"))
    if capture is None:
        _end(config, reporter)
        yield reporter
        return
    with capture.global_and_fixture_disabled():
        _end(config, reporter)
        yield reporter


def _end(config: pytest.Config, reporter: Any) -> None:
    reporter.ensure_newline()
    writer = config.get_terminal_writer()
    if writer.width_of_current_line:  # under xdist, dots belong to no file
        writer.line()
