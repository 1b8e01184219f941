"""Of a death, one line."""

from __future__ import annotations

import pytest

from envspec.plan import events as e
from envspec.report.told_once import told_once

SENTENCE = "worker died of SIGKILL, sender unknown, 1.00 s after its start"
STARTING = e.ReplicaStarting(replica="worker", start=1)
DEGRADED = e.SessionDegraded(replica="worker", message=SENTENCE)
FAILED = e.ReplicaFailed(replica="worker", error="ServiceExitedError", message=f"{SENTENCE}\n\nlog  x")
OTHER = e.ReplicaFailed(replica="web", error="ServiceExitedError", message="web exited with code 1")


def exited(*, ordered: bool = False) -> e.ReplicaExited:
    return e.ReplicaExited(
        replica="worker", pid=7, exit_code=None, signal="SIGKILL", expected=ordered, ordered=ordered, restarts=False
    )


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([exited(), FAILED, DEGRADED], [FAILED]),
        ([exited(), OTHER, FAILED, DEGRADED], [OTHER, FAILED]),
        ([exited(ordered=True), DEGRADED], [exited(ordered=True)]),
        ([exited()], [exited()]),
        ([DEGRADED], [DEGRADED]),
        ([exited(), STARTING, exited(), FAILED], [exited(), STARTING, FAILED]),
        ([exited(), STARTING, FAILED], [exited(), STARTING, FAILED]),
    ],
    ids=["death", "two", "ordered", "exit-alone", "degraded-alone", "restarted", "of-another-start"],
)
def test_of_what_says_the_same_the_fullest_is_kept(events: list[e.Event], told: list[e.Event]) -> None:
    assert told_once(events) == told


def test_what_degraded_it_for_another_reason_is_kept() -> None:
    other = e.SessionDegraded(replica="worker", message="worker does not answer")
    assert told_once([FAILED, other]) == [FAILED, other]
