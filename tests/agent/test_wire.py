"""Messages survive however the stream cuts them, and a reader that has stopped costs no memory."""

from __future__ import annotations

import pytest

from envspec import errors
from envspec.agent.wire import (
    MESSAGE_LIMIT,
    Message,
    OutputQueue,
    Splitter,
    WireError,
    decode,
    encode,
    error_from_json,
    error_to_json,
)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_messages_come_whole_in_whatever_pieces_they_were_sent(size: int) -> None:
    messages: list[Message] = [{"id": 1, "do": "log"}, {"notice": "warning", "message": "grüß\n\ud83d"}, {}]
    stream = b"".join(map(encode, messages))
    splitter = Splitter()
    lines = [line for start in range(0, len(stream), size) for line in splitter.feed(stream[start : start + size])]
    assert [decode(line) for line in lines] == messages


def test_bytes_of_a_file_name_that_are_no_text_travel_unharmed() -> None:
    name = b"/tmp/\xff\xfe".decode(errors="surrogateescape")
    assert decode(encode({"path": name}))["path"] == name


@pytest.mark.parametrize("line", [b"GET / HTTP/1.1", b"[1]", b"\xff"])
def test_another_protocol_is_refused(line: bytes) -> None:
    with pytest.raises(WireError):
        decode(line)


def test_a_message_without_end_is_refused_before_it_fills_the_memory() -> None:
    splitter = Splitter()
    for _ in range(MESSAGE_LIMIT // 2**20):
        splitter.feed(b"x" * 2**20)
    with pytest.raises(WireError, match="longer than"):
        splitter.feed(b"x")


def test_answers_are_dropped_for_a_reader_that_has_stopped_and_state_is_not() -> None:
    queue = OutputQueue(limit=100)
    for number in range(50):
        queue.put({"notice": "answer", "number": number}, droppable=True)
        queue.put({"notice": "exited", "number": number})
    splitter, told = Splitter(), []
    while head := queue.head():
        taken = head[:3]
        told += [decode(line) for line in splitter.feed(taken)]
        queue.sent(len(taken))
    exits = [message["number"] for message in told if message["notice"] == "exited"]
    answers = [message["number"] for message in told if message["notice"] == "answer"]
    assert exits == list(range(50))
    assert answers == list(range(len(answers)))
    assert queue.dropped == 50 - len(answers) > 40
    assert queue.size == 0


@pytest.mark.parametrize(
    "error",
    [
        errors.PortUnavailableError("port 9090 is taken", hint="stop it"),
        errors.ServiceStartError("no such command", service="web", hint="install it"),
        errors.StateDirectoryError("full"),
    ],
)
def test_an_error_is_the_same_on_both_ends(error: errors.EnvspecError) -> None:
    read = error_from_json(error_to_json(error))
    assert type(read) is type(error)
    assert (str(read), read.hint, vars(read)) == (str(error), error.hint, vars(error))


def test_an_error_of_a_newer_agent_is_at_least_a_backend_error() -> None:
    read = error_from_json({"error": "QuotaError", "message": "no more", "hint": "wait"})
    assert type(read) is errors.BackendError
    assert (str(read), read.hint) == ("no more", "wait")
