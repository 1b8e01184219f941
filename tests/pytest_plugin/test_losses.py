"""Which events break an environment, and the sentence that each makes."""

from __future__ import annotations

import pytest

from envspec.plan import events as e
from envspec.pytest_plugin.culprit import Loss, Losses
from envspec.pytest_plugin.watching import Test


def told(*events: e.Event) -> list[str]:
    losses = Losses("local")
    return [loss.during("test_x", 100.0) for event in events if (loss := losses.take(event)) is not None]


def exited(
    *, code: int | None = None, signal: str | None = None, ordered: bool = False, restarts: bool = False, oom: str = ""
) -> e.ReplicaExited:
    return e.ReplicaExited(
        replica="worker.1",
        pid=7,
        exit_code=code,
        signal=signal,
        expected=ordered,
        ordered=ordered,
        restarts=restarts,
        oom=oom,
        time=112.3,
    )


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (exited(signal="SIGKILL"), "services.worker.1 died of SIGKILL, sender unknown, 12.3 s into test_x"),
        (
            exited(signal="SIGKILL", oom="oom_kill in /sys/fs/cgroup/memory.events rose from 0 to 1"),
            "services.worker.1 died of SIGKILL (out of memory: oom_kill in /sys/fs/cgroup/memory.events rose from "
            "0 to 1) 12.3 s into test_x",
        ),
        (exited(signal="SIGSEGV"), "services.worker.1 died of SIGSEGV, 12.3 s into test_x"),
        (exited(code=3), "services.worker.1 exited with code 3, 12.3 s into test_x"),
        (
            e.ReplicaUnhealthy(
                replica="web", check="services.web.health[0] (http)", answer="HTTP 503\nafter 4 ms", time=101.0
            ),
            "services.web turned unhealthy (http: HTTP 503 after 4 ms) 1.00 s into test_x",
        ),
        (
            e.ReplicaFailed(
                replica="web", error="ServiceNotReadyError", message="web did not come\nwhere  x", time=101.0
            ),
            "services.web did not come, 1.00 s into test_x",
        ),
        (
            e.SessionStopping(reason="envspec down", time=101.0),
            "the environment local was taken down (envspec down) 1.00 s into test_x",
        ),
        (
            e.SessionStopping(reason="the agent is gone", time=101.0),
            "the environment local was lost: the agent is gone, 1.00 s into test_x",
        ),
    ],
)
def test_a_loss_says_who_how_and_when(event: e.Event, sentence: str) -> None:
    assert told(event) == [sentence]


@pytest.mark.parametrize(
    "event",
    [
        exited(signal="SIGKILL", ordered=True),
        exited(code=1, restarts=True),
        e.ReplicaExited(replica="setup", pid=7, exit_code=1, signal=None, expected=True),
        e.ReplicaUnhealthy(replica="web", check="c", answer="", ordered=True),
        e.ReplicaUnhealthy(replica="web", check="c", answer="", restarts=True),
        e.SessionDegraded(replica="web", message="web was stopped on request"),
    ],
    ids=["ordered", "restarts", "task", "paused", "unhealthy-restarts", "degraded"],
)
def test_what_was_ordered_or_is_mended_is_no_loss(event: e.Event) -> None:
    assert told(event) == []


def test_a_restart_that_was_ordered_and_fails_is_told_to_whoever_ordered_it() -> None:
    ordered = e.FaultOrdered(replica="web", action="restart")
    failed = e.ReplicaFailed(replica="web", error="ServiceExitedError", message="web exited with code 1")
    healthy = e.ReplicaHealthy(replica="web", seconds=1.0)
    assert told(ordered, failed) == []
    assert len(told(ordered, healthy, failed)) == 1


def test_a_death_that_came_just_before_the_test_is_no_negative_time() -> None:
    assert told(e.SessionStopping(reason="x", time=1.0)) == [
        "the environment local was taken down (x) 0 ms into test_x"
    ]


def test_how_far_into_a_test_it_came_counts_from_the_begin_of_that_part(request: pytest.FixtureRequest) -> None:
    test = Test(request.node, set(), began=100.0)
    name = request.node.name
    assert test.sentence(Loss("x died", 101.0)) == f"x died, 1.00 s into the setup of {name}"
    test.called = 110.0
    assert test.sentence(Loss("x died", 109.0)) == f"x died, 9.00 s into the setup of {name}"
    assert test.sentence(Loss("x died", 112.0)) == f"x died, 2.00 s into {name}"
    test.left = 120.0
    assert test.sentence(Loss("x died", 119.0)) == f"x died, 9.00 s into {name}"
    assert test.sentence(Loss("x died", 123.0)) == f"x died, 3.00 s into the teardown of {name}"
