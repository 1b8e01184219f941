"""The session's end of the agent's protocol. The agent here is this test: no real one talks nonsense when asked to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from envspec.agent.identity import boot_id
from envspec.agent.wire import Message, decode, encode
from envspec.backends.base import Stream
from envspec.errors import AgentLostError, BackendError, PortUnavailableError, ServiceStartError
from envspec.session.agent_client import AgentClient

Scenario = Callable[[AgentClient, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def play(scenario: Scenario, on_notice: Callable[[Message], None] = lambda _: None) -> None:
    """Run a scenario with a client and the agent's end of its stream."""

    async def run() -> None:
        ours, theirs = socket.socketpair()
        client = AgentClient(Stream(*await asyncio.open_unix_connection(sock=ours)), on_notice)
        reader, writer = await asyncio.open_unix_connection(sock=theirs)
        try:
            await scenario(client, reader, writer)
        finally:
            await client.close()
            writer.close()

    asyncio.run(asyncio.wait_for(run(), 20))


def test_a_reply_is_heard_before_the_notice_behind_it() -> None:
    heard: list[str] = []

    async def scenario(client: AgentClient, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def ask(verb: str) -> None:
            await client.request(verb)
            heard.append(f"{verb} done")

        asked = asyncio.create_task(ask("start"))
        number = decode(await reader.readline())["id"]
        writer.write(encode({"id": number, "ok": {}}) + encode({"notice": "exited"}))
        await asked
        again = asyncio.create_task(ask("stop"))
        writer.write(encode({"id": decode(await reader.readline())["id"], "ok": {}}))
        await again

    play(scenario, lambda notice: heard.append(notice["notice"]))
    assert heard == ["start done", "exited", "stop done"]


def test_replies_find_who_asked_in_whatever_order_they_come() -> None:
    async def scenario(client: AgentClient, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks = [asyncio.create_task(client.request("echo", word=word)) for word in ("one", "two")]
        asked = [decode(await reader.readline()) for _ in tasks]
        for message in reversed(asked):
            writer.write(encode({"id": message["id"], "ok": {"word": message["word"]}}))
        assert [(await task)["word"] for task in tasks] == ["one", "two"]

    play(scenario)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"error": "PortUnavailableError", "message": "taken", "hint": "free it"}, PortUnavailableError),
        ({"error": "ServiceStartError", "message": "not found", "hint": "", "service": "web"}, ServiceStartError),
        ({"error": "FromTheFuture", "message": "who knows", "hint": ""}, BackendError),
        ({"error": "SystemExit", "message": "nice try", "hint": ""}, BackendError),
    ],
)
def test_an_error_is_raised_as_what_it_is(error: Message, kind: type[Exception]) -> None:
    async def scenario(client: AgentClient, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = asyncio.create_task(client.request("lease"))
        writer.write(encode({"id": decode(await reader.readline())["id"], "error": error}))
        with pytest.raises(kind, match=error["message"]):
            await asked

    play(scenario)


@pytest.mark.parametrize("last", [b"", b"not JSON\n", b"[1]\n", b"x" * 100_000, b'{"id": 1'])
def test_whoever_waits_is_told_when_the_stream_ends_or_turns_to_nonsense(last: bytes) -> None:
    async def scenario(client: AgentClient, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = asyncio.create_task(client.request("start"))
        await reader.readline()
        writer.write(last)
        writer.close()
        with pytest.raises(AgentLostError, match="the agent is gone"):
            await asked
        with pytest.raises(AgentLostError):
            await client.request("start")

    play(scenario)


def test_an_end_of_the_stream_that_a_request_meets_first_is_told_like_any_other() -> None:
    async def scenario(client: AgentClient, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        with pytest.raises(AgentLostError, match=r"the agent is gone \(its end of the stream was closed\)"):
            await client.request("lease")

    play(scenario)


def test_a_reply_that_nobody_waits_for_any_more_is_left_out() -> None:
    async def scenario(client: AgentClient, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = asyncio.create_task(client.request("start"))
        number = decode(await reader.readline())["id"]
        asked.cancel()
        await asyncio.wait([asked])
        writer.write(encode({"id": number, "ok": {}}) + encode({"id": 4711, "ok": {}}))
        again = asyncio.create_task(client.request("stop"))
        writer.write(encode({"id": decode(await reader.readline())["id"], "ok": {"fine": True}}))
        assert (await again)["fine"]

    play(scenario)


@pytest.mark.parametrize(("boot", "shifted"), [(boot_id(), False), ("another machine's", True)])
def test_times_of_another_machine_are_told_in_ours(boot: str, shifted: bool) -> None:  # noqa: FBT001
    notices: list[Message] = []

    async def scenario(client: AgentClient, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = asyncio.create_task(client.hello(None, directory="/tmp"))
        number = decode(await reader.readline())["id"]
        writer.write(encode({"id": number, "ok": {"boot_id": boot, "clock": -1e9}}))
        await hello
        asked = asyncio.create_task(client.request("start"))
        number = decode(await reader.readline())["id"]
        writer.write(encode({"notice": "healthy", "at": -1e9}) + encode({"id": number, "ok": {"at": -1e9}}))
        assert ((await asked)["at"] >= 0) is shifted

    play(scenario, notices.append)
    assert (notices[0]["at"] >= 0) is shifted
