"""docs/json.md shows the shapes that commands write: the same fields, no more and no less."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from envspec.cli.list import Listed
from envspec.errors import Diagnostic
from envspec.report.timeline import Step, Track, timeline
from envspec.session.status import ReplicaStatus, SessionStatus, replica_to_json

PAGE = (Path(__file__).parents[2] / "docs" / "json.md").read_text("utf-8")


def shown(section: str) -> Any:
    """Return the JSON block of a section."""
    block = re.search(rf"^## {section}$.*?^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert block is not None
    return json.loads(block[1])


def names(kind: Any) -> set[str]:
    return {field.name for field in fields(kind)}


def test_session() -> None:
    session = shown("session")

    assert session.keys() == SessionStatus("x", "x").to_json().keys()
    assert session["services"][0].keys() == replica_to_json(ReplicaStatus("x", "x")).keys()


@pytest.mark.parametrize("field", [*SessionStatus("x", "x").to_json(), *replica_to_json(ReplicaStatus("x", "x"))])
def test_every_field_of_a_session_is_explained(field: str) -> None:
    assert re.search(rf"^\|[^|]*`{field}`[^|]*\|", PAGE, re.MULTILINE)


def test_check() -> None:
    assert shown("check")["diagnostics"][0].keys() == names(Diagnostic)


def test_list() -> None:
    assert shown("list")[0].keys() == asdict(Listed("x", "x")).keys()


def test_models_list(envspec: Any) -> None:
    envspec.write("models: {chat: {repo: org/name}}\n")
    (model,) = envspec.json("models", "list")
    assert shown("models list")[0].keys() == model.keys()
    assert all(re.search(rf"^\|[^|]*`{field}`[^|]*\|", PAGE, re.MULTILINE) for field in model)


def test_timeline() -> None:
    document = shown("timeline")

    assert document.keys() == timeline([]).to_json().keys()
    assert document["critical_path"][0].keys() == names(Step)
    assert document["replicas"][0].keys() == names(Track)
