"""`tls` over HTTP: whom to trust, and as whom to speak."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from envspec.health import build


def test_a_certificate_of_the_given_authority_is_trusted(serve: Any, context: Any, certificates: Any) -> None:
    target = serve({"/": (200, "")}, tls=True)
    assert build("http", {"tls": {"ca": certificates.ca}}).probe(context(target)).passed


def test_an_unknown_authority_is_refused_unless_told_not_to_look(serve: Any, context: Any) -> None:
    target = serve({"/": (200, "")}, tls=True)
    answer = build("http", {}).probe(context(target))
    assert not answer.passed
    assert "certificate verify failed" in answer.text
    assert build("http", {"tls": {"insecure": True}}).probe(context(target)).passed


def test_a_server_that_wants_a_client_certificate_gets_it(serve: Any, context: Any, certificates: Any) -> None:
    target = serve({"/": (200, "")}, tls=True, client_cert=True)
    mutual = {"ca": certificates.ca, "cert": certificates.cert, "key": certificates.key}
    assert build("http", {"tls": mutual}).probe(context(target)).passed
    assert not build("http", {"tls": {"ca": certificates.ca}}).probe(context(target)).passed


def test_a_missing_file_is_named(serve: Any, context: Any) -> None:
    target = serve({"/": (200, "")}, tls=True)
    answer = build("http", {"tls": {"ca": "/nowhere/ca.pem"}}).probe(context(target))
    assert "tls: No such file or directory (of /nowhere/ca.pem)" in answer.text


def test_of_several_files_those_that_are_missing_are_named(
    serve: Any, context: Any, certificates: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = serve({"/": (200, "")}, tls=True)
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path / "folder")
    mutual = {"ca": certificates.ca, "cert": "../c.pem", "key": certificates.key}
    answer = build("http", {"tls": mutual}).probe(context(target))
    assert answer.text.endswith(f"tls: No such file or directory (of {tmp_path}/c.pem)")
    answer = build("http", {"tls": {**mutual, "ca": "ca.pem"}}).probe(context(target))
    assert answer.text.endswith(f"(of {tmp_path}/folder/ca.pem, {tmp_path}/c.pem)")
    answer = build("http", {"tls": {**mutual, "cert": certificates.ca}}).probe(context(target))
    assert answer.text.endswith(f"(of {certificates.ca}, {certificates.key})")


def test_the_tls_key_alone_asks_for_tls(serve: Any, context: Any) -> None:
    plain = serve({"/": (200, "")})
    assert build("http", {}).probe(context(plain)).passed
    assert not build("http", {"tls": {"insecure": True}}).probe(context(plain)).passed
