"""An error as people read it: what happened, the facts under it, and what to do."""

from __future__ import annotations

from envspec.errors import EnvspecError
from envspec.report.text import BLANK, Line, line
from envspec.session.harmless import harmless


def failure(error: EnvspecError) -> list[Line]:
    """Draw an error that was raised on purpose."""
    return failure_lines(str(error), error.hint)


def failure_lines(message: str, hint: str) -> list[Line]:
    """Draw a message, whose first line is the sentence and whose others are facts, and its hint.

    Messages quote what services wrote, so nothing in them reaches the terminal as a command.
    """
    sentence, *facts = message.splitlines() or [""]
    lines = [line(("error: ", "bold red"), (harmless(sentence), "bold"))]
    lines += [line(harmless(fact)) if fact.strip() else BLANK for fact in facts]
    if facts and hint:
        lines.append(BLANK)
    for index, text in enumerate(hint.splitlines()):
        lines.append(line(("hint: " if index == 0 else "      ", "bold cyan"), harmless(text)))
    return lines
