"""Keeping secrets out of what is shown or written down.

By LANGUAGE.md: values of 8 characters or more of variables called `*_TOKEN`, `*SECRET*`, `*PASSWORD*` or `*_KEY`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

SECRET_NAMES = ("*_TOKEN", "*SECRET*", "*PASSWORD*", "*_KEY")
SHORTEST_SECRET = 8
"""Shorter values would turn up in ordinary text by chance."""
MASK = "***"
NAMES = frozenset(
    {
        *(
            "action",
            "backend",
            "check",
            "environment",
            "error",
            "event",
            "host",
            "kind",
            "last",
            "model",
            "name",
            "port",
        ),
        *("replica", "scheme", "served_name", "service", "session", "signal", "source", "waits_for", "where"),
        *("cwd", "dir", "directory", "file", "log", "position", "project"),
    }
)
"""Keys of events and plans under which things are called by name, or found: were a password `postgres`, masking it
there would make the service of that name unknown."""


def secrets_of(environments: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    """Return the values that must not be shown, longest first, so that one within another leaves no rest.

    A value with quotes, or letters beyond ASCII, also counts as JSON and Python write it within quotes.
    """
    values = {
        value
        for environment in environments
        for name, value in environment.items()
        if len(value) >= SHORTEST_SECRET and any(fnmatchcase(name.upper(), pattern) for pattern in SECRET_NAMES)
    }
    written = {form for value in values for form in _written(value)}
    return tuple(sorted(values | written, key=len, reverse=True))


def _written(value: str) -> Iterator[str]:
    """Yield what stands between the quotes where a program writes a value as JSON, or as Python's repr() of it."""
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield json.dumps(value)[1:-1]
    quotes = "'\""  # text that has both kinds makes repr() escape the first
    for told in (value, value.encode("utf-8", "surrogateescape")):
        prefix = 1 if isinstance(told, str) else 2
        yield repr(told)[prefix:-1]
    yield repr(value + quotes)[1:-4]
    yield ascii(value)[1:-1]
    yield ascii(value + quotes)[1:-4]


def redacted(data: Any, secrets: tuple[str, ...]) -> Any:
    """Return JSON data or text with every secret in it masked; keys stay, and so do the values of NAMES."""
    if isinstance(data, str):
        for secret in secrets:
            data = data.replace(secret, MASK)
        return data
    if isinstance(data, Mapping):
        return {key: value if key in NAMES else redacted(value, secrets) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [redacted(item, secrets) for item in data]
    return data
