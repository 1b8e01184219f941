"""One attempt at one check: from the plan's words to an answer, whatever the validator raises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from envspec.agent.pattern_limit import REMEDY, SlowPatternError
from envspec.agent.probe_command import Commands
from envspec.agent.probe_output import ThreadOutput
from envspec.agent.probe_patterns import PatternThread
from envspec.health import build
from envspec.health.base import Answer, Context, Target, excerpt
from envspec.plan.plan import CONNECTABLE, Check, Endpoint

LONGEST_ERROR = 10_000
"""Characters that are kept of what was raised: it is written down with every change, and with the failure."""
GIVEN_UP = "given up"
"""Where a check's context keeps why it is not asked any more."""


class Attempts:
    """Asks validators, which may run commands and print."""

    def __init__(self, commands: Commands, output: ThreadOutput, patterns: PatternThread) -> None:
        self._commands = commands
        self._output = output
        self._patterns = patterns

    def context_of(self, check: Check, message: Mapping[str, Any]) -> Context:
        """Return the context in which a check of a prober's message is asked."""
        return Context(
            targets=tuple(map(_target, check.endpoints)),
            timeout=check.timeout,
            env=message.get("env") or {},
            cwd=message.get("cwd") or ".",
            log=message.get("log") or "",
            log_start=message.get("log_start") or 0,
            run=self._commands.run,
            bounded=self._patterns.bounded,
            values=check.context,
            folder=check.folder or message.get("folder") or ".",
        )

    def ask(self, check: Check, context: Context, timeout: float) -> Answer:
        """Ask a check once, within `timeout` seconds; what the validator raises and prints is part of the answer."""
        if GIVEN_UP in context.kept:
            return Answer(passed=False, text=context.kept[GIVEN_UP], remedy=REMEDY)
        with self._output.captured() as printed:
            try:
                answer = build(check.kind, check.fields).probe(replace(context, timeout=timeout))
            except SlowPatternError as error:
                # Whoever matched it again would hold up all others again.
                context.kept[GIVEN_UP] = str(error)
                return Answer(passed=False, text=str(error), remedy=REMEDY)
            except BaseException as error:  # noqa: BLE001  the user's function may raise whatever it likes
                answer = Answer(passed=False, text=describe(error, context.folder))
        said = excerpt("".join(printed).encode())
        return replace(answer, text=f"{answer.text}; it printed: {said}") if said else answer


def _bounded(text: str) -> str:
    # The mark is that of envspec.plan.redact, which knows by it that a secret may have been cut.
    return text if len(text) <= LONGEST_ERROR else f"{text[:LONGEST_ERROR]}… ({len(text)} characters)"


def _target(endpoint: Endpoint) -> Target:
    return Target(endpoint.scheme, CONNECTABLE.get(endpoint.host, endpoint.host), endpoint.port, endpoint.path)


def describe(error: BaseException, folder: str) -> str:
    """Return `Type: text`, and the line of the user's own file that raised it, where one did."""
    import traceback

    said = str(traceback.TracebackException(type(error), error, None))  # also where its own __str__ raises
    text = _bounded(f"{type(error).__name__}: {said}" if said else type(error).__name__)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(Path(folder).resolve())]
    if not own:
        return text
    return f"{text} ({Path(own[-1].filename).name}:{own[-1].lineno}: {own[-1].line})"
