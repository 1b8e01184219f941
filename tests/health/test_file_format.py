"""What pydantic, and so the file format, the JSON Schema and the reference page, see of the validators."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from envspec.health import ACTIONS, VALIDATORS
from envspec.units import Duration


@pytest.mark.parametrize("kind", VALIDATORS)
def test_every_validator_is_described_and_has_a_timeout(kind: str) -> None:
    schema = TypeAdapter(VALIDATORS[kind]).json_schema()
    assert schema["description"]
    assert "timeout" in schema["properties"]


@pytest.mark.parametrize("kind", VALIDATORS)
def test_fields_of_which_one_must_be_written_exist(kind: str) -> None:
    validator = VALIDATORS[kind]
    fields = TypeAdapter(validator).json_schema()["properties"]
    assert {name for group in validator.choose_one for name in group} <= set(fields)


@pytest.mark.parametrize(
    ("kind", "written", "loc"),
    [
        ("http", {"port": "http", "pathh": "/"}, "pathh"),
        ("http", {"port": "http", "timeout": 5}, "timeout"),
        ("http", {"port": "http", "status": "ok"}, "status"),
        ("http", {"port": "http", "tls": {"cacert": "x"}}, "tls"),
        ("openai", {"port": "http", "request": "embedding"}, "request"),
        ("log", {}, "match"),
        ("exec", {"command": "redis-cli ping"}, "command"),
    ],
)
def test_what_is_written_wrong_is_found_at_its_key(kind: str, written: dict[str, Any], loc: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(VALIDATORS[kind]).validate_python(written)
    assert {error["loc"][0] for error in refused.value.errors()} == {loc}


def test_values_are_read_with_their_units() -> None:
    written = {"port": "http", "timeout": "500ms", "status": [200, 204], "json": {"a": None}, "body": [1]}
    validator: Any = TypeAdapter(VALIDATORS["http"]).validate_python(written)
    assert validator.timeout == Duration(0.5)
    assert validator.status == [200, 204]
    assert validator.json == {"a": None}


def test_actions_are_validators_that_can_do_something() -> None:
    assert set(ACTIONS) == {"http", "exec", "python"}


def test_the_package_imports_the_standard_library_alone() -> None:
    probe = "import sys, envspec.health; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"pydantic", "requests", "grpc", "http.client", "ssl", "asyncio", "subprocess", "yaml"}
    assert heavy.isdisjoint(loaded)
