"""A variable that is wrong is one sentence before anything is asked; of a token, never its value."""

from __future__ import annotations

from pathlib import Path

import pytest

from envspec.errors import EnvspecError, UsageError
from envspec.models.engines.loader import ModelLoader
from envspec.models.hub.attempts import demanded_wait
from tests.models.hub_machine import REPO, Machine

SECRET = "hf_abcdefghijklmnopqrstuvwx"
BAD_TOKENS = [
    f"{SECRET}\nX-More: yes",
    f"{SECRET}\r",
    f"{SECRET} {SECRET}",
    f"{SECRET}é",
    f"{SECRET}\x00",
    f"{SECRET}\udcff",
]


def mistake(machine: Machine, **options: object) -> str:
    """Return what is told of a mistake, which the hub must not have heard of."""
    with pytest.raises(UsageError) as caught:
        machine.fetch(**options)
    assert machine.hub.requests == []
    assert machine.notices == []
    assert caught.value.hint
    return f"{caught.value} | {caught.value.hint}"


@pytest.mark.parametrize("token", [bad + "x" for bad in BAD_TOKENS], ids=ascii)
@pytest.mark.parametrize("variable", ["HF_TOKEN", "MY_TOKEN"])
@pytest.mark.parametrize("revision", ["main", "0" * 40])
def test_a_token_that_no_header_takes_is_told_without_its_value(
    machine: Machine, token: str, variable: str, revision: str
) -> None:
    machine.publish()
    machine.extra[variable] = token
    said = mistake(machine, token_env=variable, revision=revision)
    assert said.startswith(f"the token in {variable} has a character that no token has | ")
    assert SECRET not in said


def test_a_line_end_behind_a_token_is_none_of_it(machine: Machine) -> None:
    machine.publish()
    machine.hub.token = SECRET
    machine.extra["MY_TOKEN"] = f"{SECRET}\n"
    assert machine.fetch(token_env="MY_TOKEN").complete


def test_the_token_of_a_login_is_looked_at_too(machine: Machine) -> None:
    home = Path(machine.environ["HF_HOME"])
    home.mkdir()
    (home / "token").write_text(f"{SECRET}é")
    said = mistake(machine)
    assert said.startswith(f"the token in {home}/token has a character that no token has")
    assert SECRET not in said


def test_a_model_loader_shows_no_token_either(machine: Machine) -> None:
    environ = {**machine.environ, "HF_TOKEN": f"{SECRET}\nmore"}
    with ModelLoader(environ=environ) as loader, pytest.raises(EnvspecError) as caught:
        loader(REPO, preload_only=True)
    assert "the token in HF_TOKEN has a character that no token has" in str(caught.value)
    assert SECRET not in "".join(str(error) for error in (caught.value, caught.value.__context__))


@pytest.mark.parametrize("written", [SECRET, "A=B", "", f"MY_TOKEN={SECRET}", "9x"])
def test_a_token_where_its_variable_belongs_is_refused_unsaid(written: str) -> None:
    with ModelLoader({"chat": {"repo": REPO, "token_env": written}}) as loader, pytest.raises(UsageError) as caught:
        loader("chat", preload_only=True)
    assert str(caught.value).startswith("the model chat: token_env: this is ")
    assert SECRET not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    "endpoint",
    ["ftp://hub", "hub.example.org", "http://", "https://hub:port", "localhost:8080", "http://[::1", "http://a b"],
)
def test_an_address_that_can_be_none_is_a_mistake_and_no_unreachable_hub(machine: Machine, endpoint: str) -> None:
    machine.url = endpoint
    assert mistake(machine).startswith(
        f"HF_ENDPOINT is {endpoint!r}, which is no address of a hub | write it as https://"
    )


def test_a_password_in_an_address_is_not_repeated(machine: Machine) -> None:
    machine.url = f"me:{SECRET}@hub"
    assert SECRET not in mistake(machine)


@pytest.mark.parametrize("variable", ["HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT"])
@pytest.mark.parametrize("value", ["abc", "1.5", "", "-3"])
def test_a_timeout_that_is_no_number_is_told(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert mistake(machine).startswith(f"{variable} is {value!r}, and must be a whole number of seconds | ")


def test_what_is_cached_and_pinned_needs_no_settings(machine: Machine) -> None:
    machine.publish()
    commit = machine.fetch().commit
    machine.url, machine.extra["HF_TOKEN"] = "ftp://x", f"{SECRET}\nmore"
    assert machine.fetch(revision=commit).complete


@pytest.mark.parametrize("text", ["²", "٣", "soon", "-1", "1.5", "9" * 400, "Mon, 99 Foo 99999 99:99:99 GMT", ""])
def test_a_wait_that_makes_no_sense_is_none(text: str) -> None:
    assert demanded_wait({"retry-after": text, "ratelimit": text}) is None


def test_a_wait_in_seconds_is_taken() -> None:
    assert demanded_wait({"retry-after": " 12 "}) == 12.0
