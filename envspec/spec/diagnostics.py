"""Findings about a file, from what pydantic or a reader noticed to sentences that a user understands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from envspec.errors import Diagnostic

if TYPE_CHECKING:
    from envspec.spec.nodes import Mark


NOT_YET = frozenset({"matrix", "gpus"})
"""Names of the language that this version does not have; no hint leads there."""


def at(mark: Mark, code: str, message: str, hint: str = "") -> Diagnostic:
    """Return the finding that stands at `mark`."""
    return Diagnostic(mark.file, mark.line, mark.column, code, message, hint)


def suggest(word: str, candidates: Iterable[str]) -> str:
    """Return a hint for a word that is not among `candidates`: the nearest, all if they are few, or nothing."""
    from difflib import get_close_matches

    known = {_folded(candidate): candidate for candidate in sorted({*candidates} - NOT_YET)}
    nearest = get_close_matches(_folded(word), known, n=1)
    if nearest:
        return f"did you mean '{known[nearest[0]]}'?"
    if 0 < len(known) <= 12:
        return f"known here: {', '.join(known.values())}"
    return ""


def _folded(word: str) -> str:
    return word.lower().replace("-", "_")
