"""A client whose making is cut short, as where a service dies meanwhile, goes without a sound."""

from __future__ import annotations

import gc
import sys
from typing import NoReturn

import pytest

from envspec.session.clients import openai_client
from envspec.session.status import ReplicaStatus, SessionStatus

openai = pytest.importorskip("openai")

FRONTEND = ReplicaStatus("frontend", "frontend", endpoints={"http": "http://127.0.0.1:9"})


class CutError(Exception):
    """Stands for what interrupts a test."""


def cut(*_: object, **__: object) -> NoReturn:
    raise CutError


def test_nothing_is_closed_that_was_never_open(monkeypatch: pytest.MonkeyPatch) -> None:
    unraisable: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: unraisable.append(told.exc_value))
    monkeypatch.setattr(openai.DefaultHttpxClient, "_init_transport", cut)

    with pytest.raises(CutError):
        openai_client(SessionStatus("local-abcde", "local", services={"frontend": FRONTEND}), "frontend.http")
    gc.collect()

    assert not unraisable
