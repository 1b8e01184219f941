"""`openai` climbs from the list of models to a streamed answer, and says on which rung it stopped.

The server here only has the shape of an OpenAI server; a real engine answers in the catalog's tests.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from envspec.health import build
from envspec.health.base import Target

MODELS = (200, {"object": "list", "data": [{"id": "tiny", "object": "model"}]})
CHAT, COMPLETION = "/v1/chat/completions", "/v1/completions"


def chat(**message: Any) -> tuple[int, Any]:
    return 200, {"choices": [{"index": 0, "message": {"role": "assistant", **message}}]}


def streaming(*events: str) -> Any:
    """Return a route that streams server-sent events, in chunks that do not end where the events do."""

    def answer(handler: Any) -> None:
        data = "".join(f"data: {event}\n\n" for event in events).encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for piece in (data[i : i + 7] for i in range(0, len(data), 7)):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")

    return answer


def delta(**said: Any) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": said}]})


class FakeOpenai:
    """What it has of an OpenAI server: the paths that are given to it."""

    def __init__(self, serve: Any, context: Any, routes: dict[str, Any]) -> None:
        self.target: Target = serve(routes)
        self._context = context

    def ask(self, **fields: Any) -> tuple[bool, str]:
        answer = build("openai", {"name": "tiny", **fields}).probe(self._context(self.target))
        return answer.passed, answer.text.removeprefix(f"{self.target.address}: ")


@pytest.fixture
def fake(serve: Any, context: Any) -> Any:
    return lambda **routes: FakeOpenai(
        serve, context, {"/v1/models": MODELS, CHAT: (404, ""), COMPLETION: (404, ""), **routes.pop("at", {})}
    )


def test_the_list_of_models_is_enough_where_no_request_is_declared(fake: Any) -> None:
    assert fake().ask() == (True, "/v1/models lists 'tiny'")


def test_a_url_may_end_in_v1_as_clients_want_it(fake: Any) -> None:
    server = fake()
    for url in (server.target.url, f"{server.target.url}/v1", f"{server.target.url}/v1/"):
        assert server.ask(url=url)[0]


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ((503, "loading"), "/v1/models: HTTP 503 Service Unavailable: loading"),
        ((200, {"data": []}), "/v1/models: lists no model, not 'tiny'"),
        ((200, {"data": [{"id": "big"}]}), "/v1/models: lists 'big', not 'tiny'"),
        ((200, "hello"), "/v1/models: this is not a list of models: HTTP 200 OK: hello"),
    ],
)
def test_the_lowest_rung_names_what_is_listed_instead(fake: Any, models: Any, said: str) -> None:
    assert fake(at={"/v1/models": models}).ask(request="chat") == (False, said)


def test_a_listed_model_that_does_not_answer_is_not_healthy(fake: Any) -> None:
    server = fake(at={CHAT: (503, {"message": "no instances found"})})
    passed, text = server.ask(request="chat")
    assert not passed
    assert text.startswith('/v1/chat/completions: HTTP 503 Service Unavailable: {"message": "no instances')


def test_a_chat_is_a_small_real_request(fake: Any) -> None:
    asked: list[dict[str, Any]] = []

    def answer(handler: Any) -> None:
        asked.append(json.loads(handler.rfile.read(int(handler.headers["Content-Length"]))))
        body = json.dumps(chat(content="hi")[1]).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    assert fake(at={CHAT: answer}).ask(request="chat") == (True, "/v1/chat/completions: answered 'hi'")
    assert asked[0]["model"] == "tiny"
    assert asked[0]["messages"][0]["role"] == "user"
    assert asked[0]["max_tokens"] <= 16
    assert asked[0]["stream"] is False


def test_an_answer_without_text_is_not_healthy(fake: Any) -> None:
    assert not fake(at={CHAT: chat(content=None)}).ask(request="chat")[0]
    assert fake(at={CHAT: chat(content=None, reasoning_content="hm")}).ask(request="chat")[0]


def test_a_completion_goes_to_its_own_path(fake: Any) -> None:
    server = fake(at={COMPLETION: (200, {"choices": [{"text": " w1"}]})})
    assert server.ask(request="completion") == (True, "/v1/completions: answered ' w1'")


def test_a_stream_is_read_to_its_end(fake: Any) -> None:
    server = fake(at={CHAT: streaming(delta(role="assistant"), delta(content="h"), delta(content="i"), "[DONE]")})
    assert server.ask(request="chat", stream=True) == (True, "/v1/chat/completions: streamed 'hi'")


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([delta(content="h")], "the stream ended after 1 events, without [DONE]"),
        ([delta(role="assistant"), "[DONE]"], "the stream has no text in it"),
        (['{"error": "lost"}', "[DONE]"], 'event 0 is not a piece of a completion: {"error": "lost"}'),
    ],
)
def test_a_broken_stream_is_not_healthy(fake: Any, events: list[str], said: str) -> None:
    assert fake(at={CHAT: streaming(*events)}).ask(request="chat", stream=True) == (
        False,
        f"/v1/chat/completions: {said}",
    )


def test_an_error_instead_of_a_stream_shows_its_body(fake: Any) -> None:
    server = fake(at={CHAT: (503, "no workers")})
    assert server.ask(request="chat", stream=True)[1].endswith("HTTP 503 Service Unavailable: no workers")
