"""What a broken environment does to the report and to the fixtures of a test that used it."""

from __future__ import annotations

from typing import Any

import pytest

from envspec.pytest_plugin.interrupt import EnvironmentBroken, StartCutShort


def blame(report: pytest.TestReport, culprit: str, stacks: str) -> None:
    """Let a report say what broke the environment, whatever the test made of it."""
    longrepr: Any = report.longrepr
    if report.outcome != "failed":
        report.outcome = "failed"
        report.longrepr = culprit
        if hasattr(report, "wasxfail"):
            del report.wasxfail
    else:
        if culprit not in report.longreprtext:
            report.sections.insert(0, ("envspec: what broke", culprit))
        crash = getattr(longrepr, "reprcrash", None)
        if crash is not None and culprit not in crash.message:  # what the summary and JUnit show is the last of a chain
            crash.message = f"{culprit}; then {crash.message}"
    if stacks:
        report.sections.append(("envspec: where the test was when it should have ended", stacks))


def forget_interrupted(item: pytest.Item) -> None:
    """Let fixtures be set up anew whose setup was interrupted: pytest keeps a failure for as long as a value."""
    request: Any = getattr(item, "_request", None)  # an item of another plugin may have none
    for fixtures in tuple(getattr(request, "_arg2fixturedefs", {}).values()):
        for fixture in fixtures:
            cached = fixture.cached_result
            if (
                cached is not None
                and cached[2] is not None
                and isinstance(cached[2][0], EnvironmentBroken | StartCutShort)
            ):
                fixture.finish(request)
