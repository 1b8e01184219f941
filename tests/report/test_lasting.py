"""What was ordered and is still in force, found in events alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from envspec.plan import events as e
from envspec.report.lasting import lasting

EXITED = e.ReplicaExited(replica="a", pid=1, exit_code=None, signal="SIGKILL", expected=True, ordered=True)
SPAWNED = e.ReplicaSpawned(replica="a", pid=2, argv=("a",))
KILLED = "a was killed on request and not started again"
STOPPED = "a was stopped on request and not started again"


def order(action: str, signal: str = "") -> e.FaultOrdered:
    return e.FaultOrdered(replica="a", action=action, signal=signal)


def of_port(action: str, detail: str = "", replica: str = "a") -> e.FaultOrdered:
    return e.FaultOrdered(replica=replica, action=action, endpoint="http", detail=detail)


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([SPAWNED], []),
        ([of_port("drop")], ["drop on a.http"]),
        ([of_port("latency", "200 ms")], ["latency on a.http (200 ms)"]),
        ([of_port("drop"), of_port("heal")], []),
        ([of_port("drop"), of_port("heal", replica="b")], ["drop on a.http"]),
        ([of_port("drop"), of_port("reset"), of_port("heal", "reset")], ["drop on a.http"]),
        ([of_port("drop"), of_port("drop"), of_port("heal", "drop")], ["drop on a.http"]),
        ([of_port("drop"), EXITED, SPAWNED], ["drop on a.http"]),
        ([order("pause")], ["a is paused"]),
        ([order("kill", "STOP")], ["a is paused"]),
        ([order("pause"), order("resume")], []),
        ([order("pause"), order("kill", "CONT")], []),
        ([order("pause"), order("kill", "KILL"), EXITED], [KILLED]),
        ([order("kill", "KILL"), EXITED, replace(EXITED, replica="b")], [KILLED]),
        ([order("kill", "KILL"), EXITED, order("start"), SPAWNED], []),
        ([order("kill", "KILL"), replace(EXITED, restarts=True)], []),
        ([order("kill", "USR1")], []),
        ([order("kill", "USR1"), replace(EXITED, ordered=False)], []),
        ([order("kill_child", "KILL"), EXITED], [KILLED]),
        ([order("stop"), EXITED], [STOPPED]),
        ([order("stop"), EXITED, order("start"), SPAWNED], []),
        ([order("restart"), EXITED, SPAWNED], []),
    ],
)
def test_what_is_in_force(events: list[e.Event], told: list[str]) -> None:
    assert [what for _order, what in lasting(events)] == told


def test_orders_come_in_their_order() -> None:
    paused, dropped = replace(order("pause"), time=1.0), replace(of_port("drop"), time=2.0)

    assert [one for one, _what in lasting([paused, dropped])] == [paused, dropped]
