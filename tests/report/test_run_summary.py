"""The summary of --env-timeline: where the time of a run went, environment by environment."""

from __future__ import annotations

from dataclasses import replace

from envspec.plan import events as e
from envspec.report.run_summary import Used, run_summary, used
from envspec.report.text import line_width, plain

EVENTS: list[e.Event] = [
    e.SessionStarting(session="local-abcde", environment="local", file="f", directory="d", pid=1, backend="local"),
    e.ReplicaWaiting(replica="etcd", waits_for=()),
    e.ReplicaWaiting(replica="frontend", waits_for=("etcd healthy",)),
    e.ReplicaStarting(replica="etcd", at=0.25),
    e.ReplicaSpawned(replica="etcd", pid=2, argv=("etcd",), at=0.25),
    e.ReplicaHealthy(replica="etcd", seconds=0.25, at=0.5),
    e.ReplicaStarting(replica="frontend", at=0.5, last="etcd healthy"),
    e.ReplicaSpawned(replica="frontend", pid=3, argv=("frontend",), at=0.5),
    e.ReplicaHealthy(replica="frontend", seconds=2.0, at=2.5),
    e.SessionHealthy(seconds=2.5, at=2.5),
    e.SessionStopping(reason="the tests are done", at=9.0),
    e.SessionStopped(seconds=0.5, at=9.5),
]


def one(*, events: list[e.Event] = EVENTS, tests: int = 40, attached: bool = False) -> Used:
    return used(events, tests=tests, seconds=3.25, attached=attached)


def text(*sessions: Used, width: int = 80) -> str:
    return plain(run_summary(sessions, width))


def test_start_tests_stop_and_the_critical_path() -> None:
    assert text(one()) == (
        "   environment  start   tests         stop    session\n"
        "●  local        2.50 s  40 in 3.25 s  0.50 s  local-abcde\n"
        "    critical path: envspec 0.25 s → etcd 0.25 s → frontend 2.00 s\n"
    )


def test_one_that_was_up_before_has_no_path_and_one_that_stays_up_no_stop() -> None:
    assert text(one(events=EVENTS[:-2], attached=True)).splitlines()[1:] == [
        "●  local        attached in 2.50 s  40 in 3.25 s  left up  local-abcde"
    ]


def test_a_failed_start_says_so() -> None:
    failed = e.SessionFailed(error="ServiceExitedError", message="etcd exited", at=0.4)
    assert "✗  local        failed after 0.40 s  none" in text(one(events=[*EVENTS[:5], failed], tests=0))


def test_a_long_path_takes_more_lines_and_breaks_between_its_steps() -> None:
    narrow = text(one(), width=48).splitlines()
    assert narrow[2:] == ["    critical path: envspec 0.25 s → etcd 0.25 s", "    → frontend 2.00 s"]
    assert all(line_width(row) <= 48 for row in run_summary([one()], 48))


def test_of_many_the_slowest_starts_are_shown() -> None:
    quick = [replace(one(), start=replace(one().start, session=f"local-{index:05}", end=1.0)) for index in range(30)]
    told = text(*quick[:20], one(), *quick[20:])
    assert "local-abcde" in told
    assert told.splitlines()[-1] == "… and 19 more, all 31 took 32.5 s to start"
