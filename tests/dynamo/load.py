"""Many streamed chats at once, and what became of each."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import requests

TOKENS = 32
AT_ONCE = 16
PATIENCE = 20.0


@dataclass(frozen=True)
class Outcome:
    """How one chat went: the HTTP status, the tokens that came, why it ended; and when it began and ended."""

    status: int
    tokens: int
    finish: str
    begun: float
    ended: float

    @property
    def whole(self) -> bool:
        """Whether all came that was asked for."""
        return (self.status, self.tokens, self.finish) == (200, TOKENS, "length")


def chat(url: str, text: str, heard: Callable[[], None] = lambda: None) -> Outcome:
    """Ask for a streamed chat; `heard` is called with every token. Raises where the connection breaks."""
    question = {
        "model": "chat",
        "messages": [{"role": "user", "content": text}],
        "max_tokens": TOKENS,
        "ignore_eos": True,
        "stream": True,
    }
    begun, tokens, finish = time.monotonic(), 0, ""
    with requests.post(f"{url}/v1/chat/completions", json=question, stream=True, timeout=PATIENCE) as answer:
        for line in answer.iter_lines() if answer.status_code == 200 else ():
            if not line.startswith(b"data: {"):
                continue
            for choice in json.loads(line.removeprefix(b"data: ")).get("choices", ()):
                tokens += bool(choice["delta"].get("content"))
                finish = choice.get("finish_reason") or finish
                heard()
        return Outcome(answer.status_code, tokens, finish, begun, time.monotonic())


class Load:
    """`count` chats, AT_ONCE at a time, for the length of a `with` block; leaving it waits for all of them."""

    def __init__(self, url: str, count: int) -> None:
        self.outcomes: list[Outcome] = []
        self._url = url
        self._count = count
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._news = threading.Condition()
        self._tokens = 0
        self._chats: list[Future[Outcome]] = []

    def __enter__(self) -> Self:
        self._chats = [self._pool.submit(chat, self._url, f"{i}, hello", self._heard) for i in range(self._count)]
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()
        self.outcomes = [future.result() for future in self._chats]

    def wait_tokens(self, count: int) -> None:
        """Return when so many tokens have come in all."""
        with self._news:
            assert self._news.wait_for(lambda: self._tokens >= count, PATIENCE)

    def is_some_done(self) -> bool:
        """Return whether a chat is over."""
        return any(future.done() for future in self._chats)

    def is_all_done(self) -> bool:
        """Return whether all chats are over."""
        return all(future.done() for future in self._chats)

    def _heard(self) -> None:
        with self._news:
            self._tokens += 1
            self._news.notify_all()
