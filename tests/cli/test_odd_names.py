"""Environments whose files are called in a way that shells, tables or JSON have trouble with."""

from __future__ import annotations

import os
import shlex
from typing import Any

import pytest

NAMES = {
    b".hidden.yaml": "hidden",
    b".yaml": "yaml",
    b"a b.yaml": "a-b",
    b"-dash.yaml": "dash",
    b"two\nlines.yaml": "two-lines",
    b"$(id);'.yaml": "id",
    b"\xff\xfe.yaml": "session",
    "größe.yaml".encode(): "größe",
    b"x" * 250 + b".yaml": "x" * 60,
}


@pytest.mark.parametrize(("name", "shown"), NAMES.items(), ids=NAMES.values())
def test_what_up_says_to_type_is_understood(envspec: Any, web: str, name: bytes, shown: str) -> None:
    (envspec.project / os.fsdecode(name)).write_text(web)
    up = envspec("up", "-d", f"./{os.fsdecode(name)}")
    assert up.returncode == 0, up.stderr
    [command] = [line.partition("stop  ")[2] for line in up.stdout.splitlines() if line.startswith("  stop  ")]
    program, *words = shlex.split(command)
    [session] = envspec.json("ps")

    assert (program, words) == ("envspec", ["down", session["id"]])
    assert session["id"].rpartition("-")[0] == shown
    assert "http.server" not in envspec("timeline").stderr
    assert envspec("logs", "--session", session["id"]).returncode == 0
    assert envspec(*words).returncode == 0
    assert envspec.live == []


def test_an_environment_keeps_its_own_name(envspec: Any, web: str) -> None:
    (envspec.project / "a b.yaml").write_text(web)
    envspec("up", "-d", "./a b.yaml")
    [session] = envspec.json("ps")

    assert session["environment"] == "a b"
    assert envspec("down", "a b").returncode == 0


def test_a_name_with_a_newline_takes_one_line(envspec: Any, web: str) -> None:
    (envspec.project / "two\nlines.yaml").write_text(web)
    up = envspec("up", "-d", "./two\nlines.yaml")

    assert "● two^Jlines is healthy" in up.stdout
    assert "lines.yaml" in envspec("ps").stdout.splitlines()[0]


def test_a_state_directory_is_where_it_was_chosen_not_where_a_detached_session_stands(envspec: Any, web: str) -> None:
    envspec.write(web)
    up = envspec("up", "-d", ENVSPEC_STATE_DIR="here")
    try:
        assert up.returncode == 0, up.stderr
        assert [path.parent.parent.parent for path in envspec.project.glob("here/sessions/*/control.sock")] == [
            envspec.project / "here"
        ]
    finally:
        down = envspec("down", ENVSPEC_STATE_DIR="here")
    assert down.returncode == 0


def test_a_service_that_asks_finds_the_state_directory_of_its_session(envspec: Any) -> None:
    envspec.write("version: 1\nservices:\n  tell: {kind: task, shell: echo in $ENVSPEC_STATE_DIR}\n")
    envspec("up", "-d", ENVSPEC_STATE_DIR="here")
    logs = envspec("logs", ENVSPEC_STATE_DIR="here")
    envspec("down", ENVSPEC_STATE_DIR="here")

    assert logs.stdout == f"in {envspec.project}/here\n"
