"""Secrets, however a program writes them: none of it is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from envspec.plan.redact import MASK, redacted, secrets_of

WRITERS: list[Callable[[str], str]] = [
    str,
    json.dumps,
    lambda value: json.dumps(value, ensure_ascii=False),
    repr,
    ascii,
    lambda value: repr({"token": value}),
    lambda value: repr(f'it\'s "{value}"'),
    lambda value: ascii(f'it\'s "{value}"'),
    lambda value: repr(value.encode()),
]


VALUES = ["hunter2hunter2", "gehäim-ß-wort", 'it\'s a "secret"', "it's-secret", "C:\\wort\\ä"]


@pytest.mark.parametrize("value", ["hunter2hunter2", "gehäim-ß-wort", 'it\'s a "secret"', "it's-secret", "C:\\wort\\ä"])
@pytest.mark.parametrize("write", WRITERS)
def test_a_secret_is_masked_as_json_and_python_write_it(value: str, write: Callable[[str], str]) -> None:
    shown = redacted(f"here: {write(value)}.", secrets_of([{"A_TOKEN": value}]))
    assert MASK in shown
    assert not [piece for piece in re.findall(r"\w{3,}", value) if piece in shown]
