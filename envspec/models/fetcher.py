"""The fetcher process: `python -m envspec.models.fetcher`.

Reads a plan's model as one line of stdin and answers with one line of stdout: `{"path", "cached"}`, or
`{"error", "message", "hint"}` with the name of a class in `envspec.errors`. It is a process of its own because the
agent may neither wait for a download nor import what downloading needs.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from envspec.errors import ModelUnavailableError
from envspec.models import SOURCES
from envspec.models.source import Host


def fetch(model: Mapping[str, Any]) -> dict[str, Any]:
    """Make or download the files of a model (a ModelPlan as JSON) at its path; `cached` if they were there before.

    Raises:
        ModelUnavailableError: they cannot be had, or the source or one of its options is unknown.
    """
    source = SOURCES.get(model["source"])
    if source is None:
        known = ", ".join(SOURCES)
        raise ModelUnavailableError(
            f"model {model['name']}: there is no source {model['source']!r}", hint=f"known: {known}"
        )
    try:
        options = source.options(**model["options"])
    except (TypeError, ValueError) as error:
        raise ModelUnavailableError(f"model {model['name']}: {error}") from error
    host = Host.of(os.environ)
    found = source.find(options, host)
    if found.complete:
        return {"path": found.path, "cached": True}
    return {"path": source.fetch(options, found, host, lambda _: None).path, "cached": False}


def main() -> None:
    """Answer one request."""
    try:
        answer = fetch(json.loads(sys.stdin.readline()))
    except ModelUnavailableError as error:
        answer = {"error": type(error).__name__, "message": str(error), "hint": error.hint}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
