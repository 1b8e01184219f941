"""The timeline: what the start waited for, computed from events alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from envspec.plan import events as e
from envspec.report.text import line_width, plain
from envspec.report.timeline import Step, timeline
from envspec.report.timeline_text import timeline_text


def test_the_critical_path_leads_from_the_begin_to_healthy(events: list[e.Event]) -> None:
    assert timeline(events).critical_path == (
        Step("envspec", 0.0, 0.1, "reading, leasing, planning"),
        Step("etcd", 0.1, 0.4, "0.19 s until it listened"),
        Step("worker.0", 0.4, 3.0, "1.59 s until it listened"),
        Step("frontend", 3.0, 3.6, "0.49 s until it listened"),
        Step("ready", 3.6, 4.0, "the environment's own `ready`"),
    )


def test_the_path_has_no_gaps(events: list[e.Event]) -> None:
    path = timeline(events).critical_path

    assert [step.end for step in path[:-1]] == [step.begin for step in path[1:]]
    assert (path[0].begin, path[-1].end) == (0.0, 4.0)


def test_a_model_can_be_what_everybody_waited_for(events: list[e.Event]) -> None:
    moved = [
        replace(event, last="models.chat") if isinstance(event, e.ReplicaStarting) and event.last == "etcd" else event
        for event in events
    ]

    assert [step.name for step in timeline(moved).critical_path] == [
        "envspec", "models.chat", "worker.0", "frontend", "ready",
    ]  # fmt: skip


def test_a_slow_validator_is_the_reason_with_its_last_no(events: list[e.Event]) -> None:
    late = [
        replace(event, at=0.5) if isinstance(event, e.ReplicaListening) and event.replica == "worker.0" else event
        for event in events
    ]
    reason = next(step.reason for step in timeline(late).critical_path if step.name == "worker.0")

    assert reason == "2.50 s from listening until its validators passed (last no: http: HTTP 503: wait)"


def test_a_start_that_failed_ends_at_its_failure(events: list[e.Event]) -> None:
    failed = [event for event in events if event.at < 2.5]
    failed += [
        e.ReplicaFailed(at=2.5, replica="worker.0", error="ServiceExitedError", message="died"),
        e.SessionStopping(at=2.6, reason="the start failed"),
        e.SessionStopped(at=9.0, seconds=6.4),
        e.SessionFailed(at=9.0, error="ServiceExitedError", message="died"),
    ]
    result = timeline(failed)

    assert (result.state, result.seconds, result.end) == ("failed", None, 2.6)
    assert result.critical_path[-1] == Step("worker.0", 0.4, 2.6, "failed after 2.10 s (last no: http: HTTP 503: wait)")
    assert [step.name for step in result.critical_path] == ["envspec", "etcd", "worker.0"]
    assert "✗" in plain(timeline_text(result, 100))


def check_whole(path: tuple[Step, ...], end: float) -> None:
    assert [step.end for step in path[:-1]] == [step.begin for step in path[1:]]
    assert (path[0].begin, path[-1].end) == (0.0, end)
    assert all(step.begin <= step.end for step in path)


@pytest.fixture
def never_healthy() -> list[e.Event]:
    """`db` listens, but is never healthy; `web` waits for it until the session gives up."""
    return [
        e.SessionStarting(
            session="s-1", environment="s", file="/f", directory="/d", pid=1, backend="local", time=1000.0
        ),
        e.ReplicaStarting(at=0.04, replica="db"),
        e.ReplicaWaiting(at=0.041, replica="web", waits_for=("db healthy",)),
        e.ReplicaSpawned(at=0.05, replica="db", pid=2, argv=("x",)),
        e.ReplicaListening(at=0.06, replica="db", port="main", number=1),
        e.CheckAnswered(at=0.07, replica="db", check="services.db.health[0] (http)", passed=False, answer="no",
                        tries=1),
        e.ReplicaFailed(at=3.04, replica="db", error="ServiceNotReadyError", message="slow"),
        e.SessionFailed(at=3.05, error="ServiceNotReadyError", message="slow"),
    ]  # fmt: skip


def test_who_waits_is_not_to_blame_for_what_never_came(never_healthy: list[e.Event]) -> None:
    path = timeline(never_healthy).critical_path

    assert [step.name for step in path] == ["envspec", "db"]
    assert path[-1].reason == "failed after 3.00 s (last no: http: no)"
    check_whole(path, 3.05)


def test_who_holds_up_an_interrupted_start_is_on_the_path(never_healthy: list[e.Event]) -> None:
    interrupted = [*never_healthy[:-2], e.SessionStopping(at=2.0, reason="Ctrl-C")]
    path = timeline(interrupted).critical_path

    assert [step.name for step in path] == ["envspec", "db"]
    check_whole(path, 2.0)


def test_what_is_done_with_a_failed_start_is_no_part_of_it(never_healthy: list[e.Event]) -> None:
    later = [
        e.ReplicaStarting(at=9.0, replica="web"),
        e.ReplicaSpawned(at=9.1, replica="web", pid=3, argv=("x",)),
        e.ReplicaHealthy(at=9.2, replica="web", seconds=0.1),
    ]

    assert timeline([*never_healthy, *later]) == timeline(never_healthy)


def test_a_path_without_ready_reaches_the_end_as_well(events: list[e.Event]) -> None:
    unasked = [event for event in events if not (isinstance(event, e.CheckAnswered) and not event.replica)]

    check_whole(timeline(unasked).critical_path, 4.0)


def test_a_task_that_only_had_to_end_is_finished_when_it_has(events: list[e.Event]) -> None:
    task = [
        e.ReplicaStarting(at=0.1, replica="seed"),
        e.ReplicaSpawned(at=0.2, replica="seed", pid=9, argv=("x",)),
        e.ReplicaExited(at=3.9, replica="seed", pid=9, exit_code=3, signal=None, expected=True),
    ]
    result = timeline(sorted([*events, *task], key=lambda event: event.at))
    seed = next(track for track in result.tracks if track.name == "seed")

    assert (seed.exited, seed.healthy, seed.failed) == (3.9, None, None)
    assert [step.name for step in result.critical_path] == ["envspec", "seed", "ready"]
    assert "seed   3.70 s until it was done" in " ".join(plain(timeline_text(result, 100)).split("  "))
    assert "not finished" not in plain(timeline_text(result, 100))


def test_a_service_without_ports_or_validators_becomes_healthy_and_goes_on(events: list[e.Event]) -> None:
    quiet = [
        e.ReplicaStarting(at=0.1, replica="quiet"),
        e.ReplicaSpawned(at=0.1, replica="quiet", pid=5, argv=("x",)),
        e.ReplicaHealthy(at=3.8, replica="quiet", seconds=3.7),
    ]
    result = timeline([*events[:-1], *quiet, events[-1]])

    assert "quiet   3.70 s until it was healthy" in " ".join(plain(timeline_text(result, 100)).split("  "))


def test_restarts_after_the_start_change_nothing(events: list[e.Event]) -> None:
    later = [e.ReplicaStarting(at=60, replica="etcd", start=1), e.ReplicaHealthy(at=61, replica="etcd", seconds=1)]

    assert timeline([*events, *later]) == timeline(events)


def test_faults_are_shown_whenever_they_were_ordered(events: list[e.Event]) -> None:
    fault = e.FaultOrdered(at=9.5, replica="worker.1", action="kill", signal="TERM", position="env.yaml:9:5")
    computed = timeline([*events, fault, e.FaultOrdered(at=9.75, replica="etcd", action="restart", wipe=True)])
    assert [done["fault"] for done in computed.to_json()["faults"]] == ["kill (SIGTERM)", "restart (wiped)"]
    text = [row.split() for row in plain(timeline_text(computed, 100)).splitlines()]
    assert ["9.50", "s", "kill", "(SIGTERM)", "worker.1", "env.yaml:9:5"] in text
    assert ["9.75", "s", "restart", "(wiped)", "etcd"] in text


def test_the_waterfall(events: list[e.Event]) -> None:
    assert plain(timeline_text(timeline(events), 80)) == (
        "● local healthy in 4.00 s  local-k3f9a\n"
        "\n"
        "                  spawned  listens  healthy  0                            4.00 s\n"
        "     models.chat        -        -   0.15 s  ─●\n"
        "  ◆  etcd          0.11 s   0.30 s   0.40 s  ──━●\n"
        "  ◆  worker.0      0.41 s   2.00 s   3.00 s  ···──────────────━━━━━━━━●\n"
        "  ◆  frontend      3.01 s   3.50 s   3.60 s  ·························────━●\n"
        "     worker.1      0.42 s   1.00 s   1.10 s     ─────━●\n"
        "\n"
        "  · waits   ─ until it listens   ━ until it is healthy   ◆ on the critical path\n"
        "\n"
        "  critical path\n"
        "    0.00 s  +0.10 s  envspec   reading, leasing, planning\n"
        "    0.10 s  +0.30 s  etcd      0.19 s until it listened\n"
        "    0.40 s  +2.60 s  worker.0  1.59 s until it listened\n"
        "    3.00 s  +0.60 s  frontend  0.49 s until it listened\n"
        "    3.60 s  +0.40 s  ready     the environment's own `ready`\n"
        "\n"
        "  slowest first\n"
        "    ◆  2.60 s  worker.0     1.59 s until it listened\n"
        "       0.70 s  worker.1     0.58 s until it listened\n"
        "    ◆  0.60 s  frontend     0.49 s until it listened\n"
        "    ◆  0.30 s  etcd         0.19 s until it listened\n"
        "       0.10 s  models.chat  0.10 s until its files were there\n"
    )


def test_the_waterfall_of_a_narrow_terminal_has_bars_alone(events: list[e.Event]) -> None:
    assert plain(timeline_text(timeline(events), 50)).splitlines()[2:5] == [
        "                  0                         4.00 s",
        "     models.chat  ─●",
        "  ◆  etcd         ──━●",
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 140])
def test_the_waterfall_fits_the_terminal(events: list[e.Event], width: int) -> None:
    assert max(map(line_width, timeline_text(timeline(events), width))) <= width


def test_a_session_that_has_not_said_anything_has_an_empty_timeline() -> None:
    assert timeline([]).critical_path == ()
    assert timeline_text(timeline([]), 80)
