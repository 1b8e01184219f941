"""`http` compares status, text and JSON, and says what it saw instead."""

from __future__ import annotations

import select
import socket
import threading
from typing import Any

import pytest

from envspec.health import build
from envspec.health.base import Target


def ask(context: Any, *targets: Target, timeout: float = 5.0, **fields: Any) -> tuple[bool, str]:
    answer = build("http", fields).probe(context(*targets, timeout=timeout))
    return answer.passed, answer.text


def test_the_expected_status_passes_and_the_body_is_shown(serve: Any, context: Any) -> None:
    target = serve({"/health": (200, {"status": "ready"})})
    assert ask(context, target, path="/health") == (True, 'HTTP 200 OK: {"status": "ready"}')


def test_another_status_fails_with_the_line_and_the_body(serve: Any, context: Any) -> None:
    target = serve({"/health": (503, {"status": "starting"})})
    passed, text = ask(context, target, path="/health")
    assert not passed
    assert text == f'{target.address}: HTTP 503 Service Unavailable: {{"status": "starting"}}'


def test_a_list_of_statuses_accepts_each(serve: Any, context: Any) -> None:
    target = serve({"/": (204, ""), "/made": (201, "")})
    assert ask(context, target, status=[200, 204])[0]
    assert not ask(context, target, path="/made", status=[200, 204])[0]


def test_long_bodies_are_cut_after_300_bytes(serve: Any, context: Any) -> None:
    target = serve({"/": (500, "x" * 5000)})
    assert ask(context, target)[1].endswith(": " + "x" * 300 + "…")


def test_control_characters_of_a_body_do_not_reach_the_terminal(serve: Any, context: Any) -> None:
    target = serve({"/": (500, "\x1b[2Jgone\nnext")})
    text = ask(context, target)[1]
    assert "\x1b" not in text
    assert "gone next" in text


def test_text_is_a_regular_expression_found_anywhere(serve: Any, context: Any) -> None:
    target = serve({"/": (200, "state: READY since 12:00")})
    assert ask(context, target, text=r"READY since \d+")[0]
    passed, text = ask(context, target, text="^READY")
    assert not passed
    assert "text: nothing matches '^READY'" in text


def test_json_names_the_place_that_differs(serve: Any, context: Any) -> None:
    target = serve({"/": (200, {"data": [{"id": "a"}]})})
    passed, text = ask(context, target, json={"data": [{"id": "b"}]})
    assert not passed
    assert "json: data[0].id is 'a', expected 'b'" in text


def test_a_body_that_is_not_json_is_shown(serve: Any, context: Any) -> None:
    target = serve({"/": (200, "<html>soon</html>")})
    assert "the body is not JSON: HTTP 200 OK: <html>soon</html>" in ask(context, target, json={})[1]


def test_a_mapping_is_sent_as_json_and_text_as_it_is(serve: Any, context: Any) -> None:
    seen: list[tuple[str, str | None, bytes, str | None]] = []

    def remember(handler: Any) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        seen.append((handler.command, handler.headers["Content-Type"], body, handler.headers["X-Who"]))
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    target = serve({"/loras": remember})
    assert ask(context, target, method="POST", path="/loras", body={"name": "é"}, headers={"X-Who": "me"})[0]
    assert ask(context, target, method="PUT", path="/loras", body="plain")[0]
    assert ask(context, target, method="PUT", path="/loras", body=[1], headers={"content-type": "text/x"})[0]
    assert seen == [
        ("POST", "application/json", '{"name":"é"}'.encode(), "me"),
        ("PUT", None, b"plain", None),
        ("PUT", "text/x", b"[1]", None),
    ]


def test_a_redirection_is_not_followed_but_shown(serve: Any, context: Any) -> None:
    def redirect(handler: Any) -> None:
        handler.send_response(302)
        handler.send_header("Location", "/login")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    target = serve({"/": redirect, "/login": (200, "")})
    assert ask(context, target) == (False, f"{target.address}: HTTP 302 Found to /login, not followed")
    assert ask(context, target, status=302)[0]


def test_proxies_of_the_environment_are_not_used(serve: Any, context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert ask(context, serve({"/": (200, "")}))[0]


def test_a_url_is_asked_with_its_path_and_query(serve: Any, context: Any) -> None:
    target = serve({"/api/health?deep=1": (200, "")})
    assert ask(context, url=f"{target.url}/api/health?deep=1")[0]
    assert ask(context, url=f"{target.url}/api", path="/health?deep=1")[0]


def test_an_attached_endpoint_keeps_its_path_prefix(serve: Any, context: Any) -> None:
    target = serve({"/prefix/health": (200, "")})
    for prefix, path in [
        ("/prefix", "/health"),
        ("/prefix/", "/health"),
        ("/prefix", "health"),
        ("/prefix/health", ""),
    ]:
        assert ask(context, Target("http", target.host, target.port, prefix), path=path)[0]


def test_every_target_must_pass_and_the_bad_one_is_named(serve: Any, context: Any) -> None:
    good, bad = serve({"/": (200, "")}), serve({"/": (500, "")})
    assert ask(context, good, good)[0]
    assert ask(context, good, bad) == (False, f"{bad.address}: HTTP 500 Internal Server Error")


def test_nobody_listening_is_said_plainly(context: Any, refusing: Target) -> None:
    assert ask(context, refusing) == (False, "127.0.0.1:1: connection refused")


def test_a_server_that_says_nothing_runs_into_the_timeout(context: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = Target("http", "127.0.0.1", silent.getsockname()[1])
        assert ask(context, target, timeout=0.05) == (False, f"{target.address}: no answer within 50 ms")


def test_a_server_that_drips_runs_into_the_same_timeout(serve: Any, context: Any) -> None:
    def drip(handler: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        # Until the client hangs up.
        while not select.select([handler.connection], [], [], 0.01)[0]:
            handler.wfile.write(b"x")

    target = serve({"/": drip})
    assert ask(context, target, timeout=0.2) == (False, f"{target.address}: no answer within 0.20 s")


@pytest.mark.parametrize(("kind", "fields"), [("http", {}), ("etcd", {}), ("openai", {"name": "tiny"})])
@pytest.mark.parametrize(
    "sent", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"]
)
def test_a_server_that_does_not_speak_http_is_named(context: Any, kind: str, fields: Any, sent: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = Target("http", "127.0.0.1", server.getsockname()[1])

        def babble() -> None:
            with server.accept()[0] as client:
                client.recv(4096)
                client.sendall(sent)

        thread = threading.Thread(target=babble)
        thread.start()
        answer = build(kind, fields).probe(context(target))
        thread.join()
    assert not answer.passed
    assert answer.text.startswith(f"{target.address}: ")
