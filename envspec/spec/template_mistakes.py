"""What else is wrong with a template whose first mistake is known.

The tag that holds a mistake is blanked out, and the rest evaluated again, as long as there is another one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from envspec.spec.template_program import JinjaTemplate
from envspec.spec.template_values import TemplateProblem, TooLong

MOST = 50
"""So many mistakes of one template are told: each takes another evaluation."""

_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_CONDITION = re.compile(r"(\{%[-+]?\s*(?:if|elif)\s)(.*?)([-+]?%\})", re.DOTALL)
_LOOP = re.compile(r"(\{%[-+]?\s*for\s.*?\sin\s)(.*?)([-+]?%\})", re.DOTALL)


def others(text: str, first: TemplateProblem, scope: Mapping[str, Any]) -> Iterator[TemplateProblem]:
    """Yield the mistakes of a template beyond the first, each with its offset in the text."""
    problem: TemplateProblem | None = first
    for _ in range(MOST):
        if problem is None or isinstance(problem, TooLong):
            return
        blanked = _without(text, problem.offset)
        if blanked == text:
            return
        text, problem = blanked, None
        try:
            JinjaTemplate(text).evaluate(scope)
        except TemplateProblem as another:
            problem = another
            yield another


def _without(text: str, offset: int | None) -> str:
    """Return the text with what the tag around `offset` asks for replaced by nothing; as it is, where that is unclear.

    Every other character keeps its place.
    """
    tag = next((tag for tag in _TAG.finditer(text) if tag.start() <= (offset or 0) < tag.end()), None)
    if tag is None:
        return text
    if tag[0].startswith("{{"):
        blank = re.sub(r"[^\n]", " ", tag[0])
    elif parts := _CONDITION.fullmatch(tag[0]):
        blank = parts[1] + "1".ljust(len(parts[2])) + parts[3]
    elif (parts := _LOOP.fullmatch(tag[0])) and len(parts[2]) > 1:
        blank = parts[1] + "[]".ljust(len(parts[2])) + parts[3]
    else:
        return text
    return text[: tag.start()] + blank + text[tag.end() :]
