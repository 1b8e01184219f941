"""A session that stands still itself, as after Ctrl-Z, while its services go on: what came in time counts."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from envspec.errors import ServiceNotReadyError
from envspec.plan import events as e
from envspec.session.deadline import Deadline
from tests.session.running import Bench, Running

TIMEOUT = 1.0
"""Seconds: the start_timeout of what is started here."""


def up_with_standstill(session: Running) -> Running:
    """Start a session whose loop stands still, from the first answer of a check on, until the start_timeout is over."""
    stood = threading.Event()

    def stand_still(event: e.Event) -> None:
        session.events.append(event)
        if isinstance(event, e.CheckAnswered) and not stood.is_set():
            stood.set()
            session.request.file.with_name("seen").touch()
            time.sleep(1.5 * TIMEOUT)  # which is the very thing, and waits for nothing

    session.background.start(stand_still)
    assert stood.is_set()
    return session


def test_a_service_that_was_healthy_in_time_is_so_although_that_is_heard_late(bench: Bench) -> None:
    session = up_with_standstill(
        bench.session(
            f"""
            services:
              web:
                command: [sleep, "100"]
                health: [{{exec: {{command: [sh, -c, "test -e $BENCH/seen"]}}}}]
                after_healthy: [{{exec: {{command: [touch, done]}}}}]
                start_timeout: {TIMEOUT}s
            """
        )
    )
    assert session["web"].state == "healthy"


def test_a_task_that_was_done_in_time_is_so_although_that_is_heard_late(bench: Bench) -> None:
    session = up_with_standstill(
        bench.session(
            f"""
            services:
              task:
                kind: task
                shell: until [ -e $BENCH/seen ]; do sleep 0.02; done
                health: [{{exec: {{command: ["false"]}}}}]
                start_timeout: {TIMEOUT}s
            """
        )
    )
    assert session["task"].state == "succeeded"
    assert session.of(e.ReplicaSucceeded)[0].seconds < TIMEOUT


def test_a_service_that_was_healthy_too_late_is_not_although_nobody_looked(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          web:
            command: [sleep, "100"]
            health: [{exec: {command: [sh, -c, "test -e $BENCH/seen && sleep 0.6"]}}]
            start_timeout: 400ms
        """
    )
    with pytest.raises(ServiceNotReadyError, match="web did not become healthy within its start_timeout of"):
        up_with_standstill(session)


def test_time_is_up_only_once_all_is_heard_that_has_been_said() -> None:
    async def follow() -> None:
        said, unsaid = asyncio.Future[None](), asyncio.Future[None]()

        async def hear() -> None:
            said.set_result(None)

        with pytest.raises(TimeoutError):
            await Deadline(time.monotonic() - 2, 1, hear).first(unsaid)
        said = asyncio.Future[None]()
        await Deadline(time.monotonic() - 2, 1, hear).first(said, unsaid)

    asyncio.run(follow())


def test_what_follows_has_the_time_that_was_left() -> None:
    async def heard() -> None:
        pass

    async def follow() -> None:
        now = time.monotonic()
        deadline = Deadline(now - 1000, 960, heard)
        deadline.meet(now - 140)
        with pytest.raises(TimeoutError):
            deadline.meet(now + 120)
        deadline.meet(now + 60)

    asyncio.run(follow())
