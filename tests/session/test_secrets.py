"""Secrets, however a program writes them: none of it is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from envspec.health.base import excerpt
from envspec.plan.redact import MASK, redacted, secret_vars, secrets_of
from tests.session.running import Bench

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


@pytest.mark.parametrize("value", ["hunter2hunter2", "gehäim-ß-wort", 'it\'s a "secret"', "it's-secret", "C:\\wort\\ä"])
@pytest.mark.parametrize("write", WRITERS)
def test_a_secret_is_masked_as_json_and_python_write_it(value: str, write: Callable[[str], str]) -> None:
    shown = redacted(f"here: {write(value)}.", secrets_of([{"A_TOKEN": value}]))
    assert MASK in shown
    assert not [piece for piece in re.findall(r"\w{3,}", value) if piece in shown]


def test_a_secret_in_which_an_answer_was_cut_is_masked_as_far_as_it_goes() -> None:
    """A prober, which knows of no secrets, cuts bodies after 300 bytes."""
    body = b'{"token": "hunter2hunter2", "padding": "hun"}'
    for limit in range(len(body) - 1):
        shown = redacted(f"HTTP 200: {excerpt(body, limit)} (hun)", ("hunter2hunter2",))
        assert "hunt" not in shown
        assert shown.endswith("… (hun)")


@pytest.mark.parametrize(
    "name",
    ["DB_PASSWORD", "PASSWD", "Passwd", "db_pass", "AWS_CREDENTIALS", "SESSION_COOKIE", "TOKEN", "OPENAI_APIKEY"],
)
def test_variables_called_like_secrets_are_secret(name: str) -> None:
    assert secrets_of([{name: "hunter2hunter2"}]) == ("hunter2hunter2",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKENIZERS_PARALLELISM", "disabled"),
        ("MAX_TOKENS", "12345678"),
        ("TOKENIZER", "a-tokenizer"),
        ("KEY_FILE", "/etc/key.pem"),
        ("SSH_ASKPASS", "/usr/bin/ask"),
        ("COOKIECUTTER_CONFIG", "/etc/cookies"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/etc/creds.json"),
    ],
)
def test_variables_called_otherwise_are_none(name: str, value: str) -> None:
    assert secrets_of([{name: value}]) == ()


def test_vars_are_secret_by_their_names_wherever_they_stand() -> None:
    found = {"password": "hunter2hunter2", "db": {"passwd": 12345678, "user": "somebody"}, "tokens": ["x"]}
    nested = {"api_key": {"first": "abcdefgh"}, "some_secrets": ["ijklmnop"]}
    assert list(secret_vars({**found, **nested})) == ["hunter2hunter2", "12345678", "abcdefgh", "ijklmnop"]


VARS = """
vars: {password: hunter2hunter2}
services:
  web:
    command: [sh, -c, "echo it is {{ vars.password }}; echo $PW; echo $DB $HEADER; exit 1", "http://me:cmdline-pw@host/"]
    env: {PW: "{{ vars.password }}", DB: "postgres://app:in-the-url@db/x", HEADER: Bearer tok.en-1}
    files: {conf: "[db]\nurl = redis://:in-a-file@db"}
    health: [{http: {url: "http://127.0.0.1:9/", headers: {Authorization: Bearer of-check}}}]
"""
MASKED = ("hunter2hunter2", "in-the-url", "tok.en-1", "cmdline-pw", "in-a-file", "of-check")


def test_nothing_of_the_secrets_of_a_file_is_told(bench: Bench) -> None:
    session = bench.session(VARS)
    error = session.fails()
    directory = session.background.session.directory
    written = "".join(path.read_text() for name in ("plan.json", "events.jsonl") for path in [directory / name])
    shown = f"{error} {error.details} {session.events} {written}"
    assert MASK in written
    assert [secret for secret in MASKED if secret in shown] == []


@pytest.mark.parametrize(
    "text",
    [
        "postgres://postgres:postgres@db/x",
        "http://host:8080808080/a@b",
        "http://me:$PASSWORD_OF@host",
        "the bearer of-this-note knows",
        "git@github.com:some-body/repo",
    ],
)
def test_what_only_looks_like_a_secret_is_shown(bench: Bench, text: str) -> None:
    session = bench.session(f"services: {{web: {{command: [sleep, '100', {text!r}], env: {{IT: {text!r}}}}}}}").begin()
    session.join()
    ours = set(secrets_of([session.request.environ]))
    assert set(session.background.secrets()) - ours == set()
