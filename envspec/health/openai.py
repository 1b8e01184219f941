"""`openai`: the server lists the model and, where asked for, answers with it.

A ladder, of which each rung needs the one below: the list of models, the model in it, an answer, and for a stream its
text and its end. The answer names the rung on which it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, ClassVar, Literal

from envspec.health.base import (
    HALF_A_MINUTE,
    PLACES_OR_URL,
    Answer,
    Context,
    Target,
    Validator,
    ask_each,
    excerpt,
)
from envspec.health.tls import Tls
from envspec.health.values import PositiveDuration, WebAddress
from envspec.health.web import Connection, Response

MAX_TOKENS = 4
"""Enough for a first word where a tokenizer needs several tokens for one, and cheap on the slowest engine."""
QUESTION = "Hello"
PATHS = {"chat": "/v1/chat/completions", "completion": "/v1/completions"}


class Openai(Validator):
    """The server's `/v1/models` lists the model and, with `request`, a real request to it is answered.

    A list that names the model is no proof that it answers: a router lists models whose workers cannot be reached yet.
    """

    choose_one: ClassVar = (*PLACES_OR_URL, ("model", "name"))

    port: str | None = None
    """A port of the service itself, by name."""
    endpoint: str | None = None
    """A port of any service: `frontend.http` is every replica's, `frontend.1.http` that one's."""
    url: WebAddress | None = None
    """Any URL, instead of a port, with or without the `/v1`."""
    model: str | None = None
    """A key of `models`; asked for under the name that it is served by."""
    name: str | None = None
    """Any other name that the server lists."""
    request: Literal["none", "chat", "completion"] = "none"
    """The request that must be answered once the model is listed."""
    stream: bool = False
    """Ask for a stream, and want text in it and its `[DONE]`."""
    tls: Tls | None = None
    """Speak TLS, also where the scheme is not https."""
    timeout: PositiveDuration = HALF_A_MINUTE
    """How long one attempt may take; an engine's first answer takes longer than the later ones."""

    def probe(self, context: Context) -> Answer:
        """Climb the ladder at each target."""
        targets = (Target.from_url(self.url.rstrip("/").removesuffix("/v1")),) if self.url else context.targets
        return ask_each(targets, context.timeout, lambda target: self._ask(target, context.timeout))

    def _ask(self, target: Target, timeout: float) -> Answer:
        name = self.name or self.model or ""
        with Connection(target, self.tls, timeout) as connection:
            if problem := _list_problem(connection.ask("GET", "/v1/models"), name):
                return Answer(passed=False, text=f"/v1/models: {problem}")
            if self.request == "none":
                return Answer(passed=True, text=f"/v1/models lists {name!r}")
            path, body = PATHS[self.request], self._body(name)
            if self.stream:
                answer = _streamed(*connection.stream("POST", path, body))
            else:
                answer = _whole(connection.ask("POST", path, body=body))
        return Answer(answer.passed, f"{path}: {answer.text}")

    def _body(self, name: str) -> dict[str, Any]:
        question: dict[str, Any] = {"prompt": QUESTION}
        if self.request == "chat":
            question = {"messages": [{"role": "user", "content": QUESTION}]}
        return {"model": name, "max_tokens": MAX_TOKENS, "stream": self.stream, **question}


def _list_problem(response: Response, name: str) -> str:
    if response.status != 200:
        return str(response)
    try:
        listed = [str(model["id"]) for model in response.json()["data"]]
    except (ValueError, KeyError, TypeError):
        return f"this is not a list of models: {response}"
    return "" if name in listed else f"lists {', '.join(map(repr, listed)) or 'no model'}, not {name!r}"


def _whole(response: Response) -> Answer:
    if response.status != 200:
        return Answer(passed=False, text=str(response))
    try:
        text = _text_of(response.json())
    except (ValueError, KeyError, TypeError, IndexError):
        return Answer(passed=False, text=f"this is not a completion: {response}")
    return Answer(passed=bool(text), text=f"answered {text!r}" if text else f"the answer has no text: {response}")


def _streamed(response: Response, lines: Iterable[bytes]) -> Answer:
    if response.status != 200:
        return Answer(passed=False, text=f"{response}: {excerpt(b' '.join(lines))}")
    said, events = "", 0
    for line in lines:
        if not line.startswith(b"data:"):
            continue
        data = line[5:].strip()
        if data == b"[DONE]":
            return Answer(passed=bool(said), text=f"streamed {said!r}" if said else "the stream has no text in it")
        try:
            said += _text_of(json.loads(data))
        except (ValueError, KeyError, TypeError):
            return Answer(passed=False, text=f"event {events} is not a piece of a completion: {excerpt(data)}")
        events += 1
    return Answer(passed=False, text=f"the stream ended after {events} events, without [DONE]")


def _text_of(completion: dict[str, Any]) -> str:
    """Return the text in a completion or a piece of one; an engine that thinks first gives its reasoning."""
    text = ""
    for choice in completion["choices"]:
        said = choice.get("message") or choice.get("delta") or choice
        text += said.get("content") or said.get("reasoning_content") or said.get("reasoning") or said.get("text") or ""
    return text
