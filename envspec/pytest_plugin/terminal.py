"""Lines in pytest's terminal while tests run: past capture, and none where the run is quiet or there is no terminal."""

from __future__ import annotations

import pytest


def say(config: pytest.Config, line: str) -> None:
    """Write one line, and at once: whoever reads a pipe, as CI does, should not think that it hangs."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.get_verbosity() < 0:
        return
    capture = config.pluginmanager.get_plugin("capturemanager")
    if capture is None:
        reporter.write_line(line)
        reporter.flush()
        return
    with capture.global_and_fixture_disabled():
        reporter.ensure_newline()
        reporter.write_line(line)
        reporter.flush()
