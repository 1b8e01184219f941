"""Many requests that come at once keep the agent from nothing else."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import pytest

from envspec.agent.connection import TURN, Connection
from envspec.agent.loop import Loop
from envspec.agent.wire import Message, encode

BURST = b"".join(encode({"id": number}) for number in range(5))


@pytest.fixture
def streams() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(BURST)
        yield ours, theirs


def take_long() -> None:
    end = time.monotonic() + TURN
    while time.monotonic() < end:
        pass


def test_between_requests_of_one_read_that_take_long_others_have_their_turn(
    streams: tuple[socket.socket, socket.socket],
) -> None:
    loop, order = Loop(), list[int | str]()
    reading, writing = os.pipe()

    def hear() -> None:
        loop.forget(reading)
        order.append("a death")

    def serve(message: Message) -> None:
        order.append(message["id"])
        if message["id"] == 0:
            os.write(writing, b"!")
        if message["id"] == 4:
            loop.stop()
        take_long()

    loop.watch(reading, hear)
    Connection(loop, streams[1], serve, loop.stop)
    loop.run()
    os.close(reading)
    os.close(writing)
    assert order == [0, "a death", 1, 2, 3, 4]


def test_what_waits_for_its_turn_when_the_owner_is_lost_is_not_begun(
    streams: tuple[socket.socket, socket.socket],
) -> None:
    loop, served = Loop(), list[int]()

    def serve(message: Message) -> None:
        served.append(message["id"])
        streams[0].close()
        take_long()

    Connection(loop, streams[1], serve, loop.stop)
    loop.run()
    assert served == [0]
