"""Keeping secrets out of what is shown or written down.

Secret are values of 8 characters or more of variables, and of vars of a file, that are called like a secret; passwords
in URLs; and what stands behind `Bearer`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from envspec.plan.plan import Plan

SECRET_NAMES = (
    *("*_TOKEN", "TOKEN", "*SECRET*", "*PASSW*", "*_PASS", "*PASSPHRASE*", "*_KEY", "*APIKEY"),
    *("*CREDENTIAL*", "*COOKIE", "*COOKIES"),
)
"""In capitals, as any name is compared. Not TOKENIZER, MAX_TOKENS, KEY_FILE, SSH_ASKPASS or COOKIECUTTER_CONFIG."""
URL_PASSWORD = re.compile(r"""[a-z][a-z0-9+.-]*://([^\s/?#:@'"]*):([^\s/?#@'"]+)@""", re.IGNORECASE)
BEARER = re.compile(r"""(?:^|authorization["']?\s*[:=]\s*["']?)bearer\s+([^\s'"]+)""", re.IGNORECASE)
"""Where a header is meant: in other text, what follows the word may be any other."""
PUT_IN_LATER = ("$", "{", "<", "%")
"""How a password begins that stands for one."""
SHORTEST_SECRET = 8
"""Shorter values would turn up in ordinary text by chance."""
MASK = "***"
CUT = "…"
"""What stands where a validator's answer was cut, which the prober does, who knows of no secrets."""
SHORTEST_BEGIN = 4
"""Characters of a secret before such a cut that are masked; fewer say little, and stand there by chance."""
PLACES = {"cwd", "dir", "directory", "file", "host", "log", "port", "position", "project", "where"}
KINDS = {"action", "check", "event", "kind", "scheme", "signal", "source"}
CALLED = {"backend", "environment", "error", "last", "model", "name", "replica", "served_name", "service", "session"}
NAMES = PLACES | KINDS | CALLED | {"waits_for"}
"""Keys of events and plans under which things are called by name, or found: were a password `postgres`, masking it
there would make the service of that name unknown."""


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Return whether a variable is called like a secret."""
    return any(fnmatchcase(name.upper(), pattern) for pattern in SECRET_NAMES)


def secrets_of(environments: Iterable[Mapping[str, str]], plan: Plan | None = None) -> tuple[str, ...]:
    """Return the values that must not be shown, longest first, so that one within another leaves no rest.

    Those of a plan are among its variables, its vars, its commands, files and checks. A value with quotes, or letters
    beyond ASCII, also counts as JSON and Python write it within quotes.
    """
    replicas = plan.replicas if plan is not None else ()
    # As pairs, of which replicas share most.
    pairs = {pair for env in (*environments, *(replica.env for replica in replicas)) for pair in env.items()}
    found = {value for name, value in pairs if is_secret(name) and not _is_path(name, value)}
    if plan is not None:
        found.update(plan.secret_vars)
        for text in {value for replica in replicas for value in replica.env.values()} | set(_texts(plan)):
            found.update(_by_form(text))
    values = {value for value in found if len(value) >= SHORTEST_SECRET}
    written = {form for value in values for form in _written(value)}
    return tuple(sorted(values | written, key=len, reverse=True))


def secret_vars(values: Any, name: str = "") -> Iterator[str]:
    """Yield the values of vars that are called like a secret, also within mappings and lists, as they are rendered."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from secret_vars(value, name if is_secret(name) else str(key))
    elif isinstance(values, list | tuple):
        for value in values:
            yield from secret_vars(value, name)
    elif isinstance(values, str | int) and is_secret(name):
        yield str(values)


def _is_path(name: str, value: str) -> bool:
    """Return whether it says where credentials are, as GOOGLE_APPLICATION_CREDENTIALS does, which may be shown."""
    return "CREDENTIAL" in name.upper() and value.startswith(("/", "~", "./"))


def _texts(plan: Plan) -> Iterator[str]:
    """Yield what else of a plan may have a secret in it."""
    for replica in plan.replicas:
        yield from replica.argv
        yield from replica.files.values()
        for check in (*replica.health, *replica.after_healthy, *replica.reset):
            yield from _strings(check.fields)
    for check in plan.ready:
        yield from _strings(check.fields)


def _strings(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from _strings(value)
    elif isinstance(data, list | tuple):
        for item in data:
            yield from _strings(item)


def _by_form(text: str) -> Iterator[str]:
    """Yield what is a secret because of where it stands. A password that is the user's name is no secret."""
    if "://" in text and "@" in text:
        for user, password in URL_PASSWORD.findall(text):
            if password != user and not password.startswith(PUT_IN_LATER):
                yield from (password, unquote(password))
    if "earer " in text:
        yield from (token for token in BEARER.findall(text) if not token.startswith(PUT_IN_LATER))


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
        *cut, last = data.split(CUT)
        return CUT.join([*(_without_begin(part, secrets) for part in cut), last])
    if isinstance(data, Mapping):
        return {key: value if key in NAMES else redacted(value, secrets) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [redacted(item, secrets) for item in data]
    return data


def _without_begin(text: str, secrets: tuple[str, ...]) -> str:
    """Mask what a text ends with, if a secret begins with it."""
    for secret in secrets:
        for length in range(len(secret) - 1, SHORTEST_BEGIN - 1, -1):
            if text.endswith(secret[:length]):
                return f"{text[:-length]}{MASK}"
    return text
