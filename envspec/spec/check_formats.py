"""What `envspec check` found, as text for people, JSON for programs, and for GitHub as annotations or SARIF."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from urllib.parse import quote

from envspec.errors import Diagnostic
from envspec.models.hub.options import TOKEN, variable_error

WIDTH = 120
"""Columns of a source line that are shown at most; of a longer one, the part around the caret."""
NARROWEST = 20
"""Columns of it that are shown at least: of fewer, nobody would know the line again."""
_SECRETIVE = frozenset({"bad-env-file"})
"""Codes of which the source line is not shown: it may be part of a key, and logs of CI keep what is shown."""
_TOKEN_ENV = re.compile(r"""(token_env["']?\s*:\s*)("[^"]*"?|'[^']*'?|[^,}\]#]+)""")


def as_text(diagnostics: Sequence[Diagnostic], files: int, terminal: int = 10_000) -> str:
    """Return each finding with its source line, a caret and its hint, and last a line that counts them.

    A source line that broke on a `terminal` of so many columns would leave its caret behind.
    """
    counted = f"{files} file{'' if files == 1 else 's'}"
    if not diagnostics:
        return f"{counted} checked, nothing wrong\n"
    sources = {file: _lines(file) for file in {diagnostic.file for diagnostic in diagnostics}}
    shown = [_block(diagnostic, sources[diagnostic.file], terminal) for diagnostic in diagnostics]
    errors = sum(diagnostic.severity == "error" for diagnostic in diagnostics)
    kinds = [(errors, "error"), (len(diagnostics) - errors, "warning")]
    found = " and ".join(f"{count} {what}{'' if count == 1 else 's'}" for count, what in kinds if count)
    return "\n".join([*shown, f"{found} in {counted}\n"])


def as_json(diagnostics: Sequence[Diagnostic], files: int) -> str:
    """Return `{"files": 12, "diagnostics": [{file, line, column, code, severity, message, hint}]}`."""
    document = {"files": files, "diagnostics": [asdict(diagnostic) for diagnostic in diagnostics]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_github(diagnostics: Sequence[Diagnostic], _files: int) -> str:
    """Return workflow commands, which GitHub Actions shows beside the lines of a pull request.

    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#setting-an-error-message
    """
    return "".join(map(_annotation, diagnostics))


def as_sarif(diagnostics: Sequence[Diagnostic], _files: int) -> str:
    """Return a log of SARIF 2.1.0, which code scanning reads.

    https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
    """
    rules = [{"id": code} for code in sorted({diagnostic.code for diagnostic in diagnostics})]
    run = {
        "tool": {"driver": {"name": "envspec", "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(diagnostic) for diagnostic in diagnostics],
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


FORMATS: dict[str, Callable[[Sequence[Diagnostic], int], str]] = {
    "text": as_text,
    "json": as_json,
    "github": as_github,
    "sarif": as_sarif,
}
"""By the name that `--format` takes: findings and the number of files checked, to what is printed."""


def _lines(file: str) -> list[str]:
    """Return a file's lines, or none where it cannot be read: that may be the very finding."""
    try:
        if Path(file).is_file():  # a pipe can be read once, and one that nobody writes to never
            return Path(file).read_text(encoding="utf-8-sig", errors="replace").split("\n")
    except OSError:
        pass
    return []


def _block(diagnostic: Diagnostic, lines: list[str], terminal: int) -> str:
    place = f"{diagnostic.file}:{diagnostic.line}:{diagnostic.column}"
    block = [f"{place}: {diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}"]
    if 0 < diagnostic.line <= len(lines) and diagnostic.code not in _SECRETIVE:
        margin = f"  {diagnostic.line} | "
        room = min(WIDTH, max(NARROWEST, terminal - len(margin)))
        block += _source(lines[diagnostic.line - 1], margin, diagnostic.column, room)
    block += [f"  hint: {line}" for line in diagnostic.hint.split("\n") if line]
    return "\n".join(block) + "\n"


def _source(line: str, margin: str, column: int, room: int) -> list[str]:
    """Return the source line and the caret below it."""
    # A line of generated JSON can be longer than the terminal's whole window.
    start = max(0, column - room // 2) if len(line) > room else 0
    line = _without_tokens(line)
    shown = "".join(map(_visible, line[start : start + room]))
    before = "".join(map(_visible, line[start : column - 1]))
    return [f"{margin}{shown}".rstrip(), f"{'| ':>{len(margin)}}{' ' * _columns(before)}^"]


def _without_tokens(line: str) -> str:
    """Return a line with as many asterisks for what is, or may be, a token: logs of CI keep what is shown."""
    line = _TOKEN_ENV.sub(lambda it: it[1] + (_hidden(it[2]) if variable_error(it[2].strip(" '\"")) else it[2]), line)
    return re.sub(rf"{TOKEN.pattern}\w*", lambda it: _hidden(it[0]), line)


def _hidden(text: str) -> str:
    return "*" * len(text)


def _visible(character: str) -> str:
    """Replace what would move the cursor or command the terminal."""
    if character in "\t\r":
        return " "
    return character if character.isprintable() else "\ufffd"


def _columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def _annotation(diagnostic: Diagnostic) -> str:
    text = f"{diagnostic.message}\n{diagnostic.hint}" if diagnostic.hint else diagnostic.message
    where = f"file={_escaped(diagnostic.file, ',:')},line={diagnostic.line},col={diagnostic.column}"
    return f"::{diagnostic.severity} {where},title={_escaped(diagnostic.code, ',:')}::{_escaped(text)}\n"


def _escaped(text: str, more: str = "") -> str:
    return "".join(map(partial(_escape, special=f"%\r\n{more}"), text))


def _escape(character: str, special: str) -> str:
    return f"%{ord(character):02X}" if character in special else character


def _result(diagnostic: Diagnostic) -> dict[str, object]:
    file = Path(diagnostic.file)
    # A relative reference is taken from the root of the repository, which is where CI runs.
    uri = file.as_uri() if file.is_absolute() else quote(file.as_posix())
    text = f"{diagnostic.message}\n{diagnostic.hint}" if diagnostic.hint else diagnostic.message
    return {
        "ruleId": diagnostic.code,
        "level": diagnostic.severity,
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": uri},
                    "region": {"startLine": diagnostic.line, "startColumn": diagnostic.column},
                }
            }
        ],
    }
