"""The protocol on the stream: one JSON object a line, both ways.

Request `{"id": n, "do": verb, …}`; reply `{"id": n, "ok": {…}}` or `{"id": n, "error": {…}}`; notice
`{"notice": name, …}` whenever there is something to say. This module is all that both ends share.
"""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from envspec.errors import EnvspecError

PROTOCOL = 1
MESSAGE_LIMIT = 16 * 2**20
"""Bytes of one message. The largest real one is a plan's replica with its files; more than this is a broken peer."""
BACKLOG_LIMIT = 2**20
"""Bytes that may wait for a slow reader before notices that are only samples are dropped."""

Message = dict[str, Any]


class WireError(ValueError):
    """What came over the stream is not this protocol."""


def encode(message: Message) -> bytes:
    """Return `message` as one line.

    ASCII, so that names with bytes that are no UTF-8 (surrogates in Python) travel unharmed.
    """
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Message:
    """Read one line.

    Raises:
        WireError: it is no JSON object.
    """
    try:
        message = json.loads(line)
    except ValueError as error:
        raise WireError(f"not JSON: {line[:80]!r}") from error
    if not isinstance(message, dict):
        raise WireError(f"not a JSON object: {line[:80]!r}")
    return message


class Splitter:
    """Cuts a stream of bytes into lines, in whatever pieces it comes."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return the lines that they complete, for `decode`.

        Raises:
            WireError: a line is longer than MESSAGE_LIMIT.
        """
        *ends, rest = data.split(b"\n")
        lines = []
        for end in ends:
            lines.append(b"".join((*self._pieces, end)))
            self._pieces, self._size = [], 0
        self._pieces.append(rest)
        self._size += len(rest)
        if self._size > MESSAGE_LIMIT:
            raise WireError(f"a message is longer than {MESSAGE_LIMIT} bytes")
        return [line for line in lines if line]


class OutputQueue:
    """Encoded messages that wait for the socket to take them.

    A reader that has stopped cannot make it grow without bound: droppable messages are refused while more than
    `limit` bytes wait, and all others answer to something the reader did.
    """

    def __init__(self, limit: int = BACKLOG_LIMIT) -> None:
        self._waiting: deque[bytes] = deque()
        self._limit = limit
        self.size = 0
        self.dropped = 0

    def put(self, message: Message, *, droppable: bool = False) -> None:
        """Queue a message, or count it as dropped."""
        if droppable and self.size > self._limit:
            self.dropped += 1
            return
        line = encode(message)
        self._waiting.append(line)
        self.size += len(line)

    def head(self) -> bytes:
        """Return bytes to send next, empty when nothing waits."""
        return self._waiting[0] if self._waiting else b""

    def sent(self, count: int) -> None:
        """Forget the first `count` bytes of `head()`."""
        line = self._waiting.popleft()
        if count < len(line):
            self._waiting.appendleft(line[count:])
        self.size -= count


def error_to_json(error: EnvspecError) -> Message:
    """Return an error as the `error` of a reply: class name, sentence, hint, and the service it is about."""
    about = {"service": error.service} if hasattr(error, "service") else {}
    return {"error": type(error).__name__, "message": str(error), "hint": error.hint, **about}


def error_from_json(data: Message) -> EnvspecError:
    """Return the exception that a reply's `error` stands for; a class of a newer agent becomes a BackendError."""
    from envspec import errors  # not above: with it come dataclasses and inspect, 10 ms of the agent's start

    kind = getattr(errors, str(data.get("error")), None)
    message, hint = str(data.get("message", "")), str(data.get("hint", ""))
    if not isinstance(kind, type) or not issubclass(kind, errors.EnvspecError) or kind is errors.SpecError:
        return errors.BackendError(message, hint=hint)
    if issubclass(kind, errors.ServiceError):
        return kind(message, service=str(data.get("service", "")), hint=hint)
    return kind(message, hint=hint)
