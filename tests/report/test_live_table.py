"""The live table shows, for each replica, what a person who waits wants to know."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from envspec.plan import events as e
from envspec.plan.plan import Plan
from envspec.report.live_table import live_table
from envspec.report.progress import Progress
from envspec.report.text import line_width, plain
from envspec.session.status import SessionStatus, apply, planned


def drawn(plan: Plan, events: Iterable[e.Event], now: float, size: tuple[int, int] = (100, 40)) -> str:
    return plain(live_table(progress_of(plan, events), now, size))


def progress_of(plan: Plan, events: Iterable[e.Event]) -> Progress:
    progress = Progress(planned(SessionStatus("local-k3f9a", plan.environment), plan))
    for event in events:
        progress = progress.after(event, apply(progress.status, event))
    return progress


def until(events: list[e.Event], at: float) -> list[e.Event]:
    return [event for event in events if event.at <= at]


def test_who_waits_who_starts_and_what_a_validator_said(plan: Plan, events: list[e.Event]) -> None:
    assert drawn(plan, until(events, 2.1), 2.5) == (
        "local  starting  2.5 s  local-k3f9a\n"
        "\n"
        "  ●  etcd      healthy   0.29 s  4004  client 20001  peer 20002\n"
        "  ⠴  worker.0  starting   2.1 s  4008  http: HTTP 503: wait\n"
        "  ●  worker.1  healthy   0.68 s  4008  system 20011  kv 20020-20021\n"
        "  ·  frontend  waiting                 waits for worker healthy\n"
        "\n"
        "  2 of 4 healthy · Ctrl-C stops\n"
    )


def test_a_wide_terminal_shows_urls(plan: Plan, events: list[e.Event]) -> None:
    assert "client http://127.0.0.1:20001  peer 127.0.0.1:20002" in drawn(plan, events, 4.0, (140, 40))


def test_a_line_is_broken_between_ports_where_the_table_has_room(plan: Plan, events: list[e.Event]) -> None:
    lines = drawn(plan, events, 4.0, (56, 40)).splitlines()
    first = next(i for i, text in enumerate(lines) if "system 20010" in text)

    assert lines[first].endswith("4008  system 20010")
    assert lines[first + 1] == " " * lines[first].index("system") + "kv 20020-20021"


def test_ports_that_have_no_room_are_left_out_whole(plan: Plan, events: list[e.Event]) -> None:
    picture = drawn(plan, events, 4.0, (56, 10))

    assert "4004  client 20001  …\n" in picture
    assert "4008  system 20010  …\n" in picture


@pytest.mark.parametrize("columns", [42, 37, 24])
def test_seconds_and_pids_give_way_to_states_and_ports(plan: Plan, events: list[e.Event], columns: int) -> None:
    picture = drawn(plan, events, 4.0, (columns, 40))

    assert "4004" not in picture
    assert "healthy" in picture
    assert "client 20001" in picture
    assert "peer 20002\n" in picture


def download(*events: e.Event) -> list[e.Event]:
    return [e.ModelFetching(at=1.0, model="chat", source="repo"), *events]


@pytest.mark.parametrize(
    ("events", "row"),
    [
        (download(), "models.chat  fetching  3.0 s\n"),
        (download(e.ModelProgress(at=2.0, model="chat", done=512, total=None)), "fetching  3.0 s  512 B\n"),
        (
            download(
                e.ModelProgress(at=2.0, model="chat", done=100_000_000, total=10**9),
                e.ModelProgress(at=4.0, model="chat", done=200_000_000, total=10**9),
            ),
            "fetching  3.0 s  200 MB of 1.00 GB · 16 s left · 50.0 MB/s\n",
        ),
        (
            download(e.ModelWaiting(at=2.0, model="chat", holder="pid 4711 (pytest)")),
            "waiting  3.0 s  waits for pid 4711 (pytest)\n",
        ),
        (
            download(e.ModelRetrying(at=2.0, model="chat", reason="HTTP 429", seconds=14.0, attempt=2)),
            "▲  models.chat  retrying  3.0 s  again in 12 s: HTTP 429\n",
        ),
        (
            download(
                e.ModelRetrying(at=2.0, model="chat", reason="HTTP 429", seconds=0.5, attempt=2),
                e.ModelProgress(at=3.0, model="chat", done=5_000_000, total=10_000_000),
            ),
            "fetching  3.0 s  5.00 MB of 10.0 MB\n",
        ),
        (
            download(
                e.ModelRetrying(at=2.0, model="chat", reason="HTTP 429", seconds=14.0, attempt=2),
                e.ModelProgress(at=3.5, model="chat", done=5_000_000, total=10_000_000),
            ),
            "fetching  3.0 s  5.00 MB of 10.0 MB\n",
        ),
        (
            download(
                e.ModelRetrying(at=2.0, model="chat", reason="HTTP 429", seconds=14.0, attempt=2),
                e.ModelProgress(at=2.5, model="chat", done=5_000_000, total=10_000_000),
            ),
            "retrying  3.0 s  again in 12 s: HTTP 429\n",
        ),
        (
            download(e.ModelRetrying(at=2.0, model="chat", reason="x is wrong: it comes anew", seconds=0.0, attempt=1)),
            "retrying  3.0 s  x is wrong: it comes anew\n",
        ),
    ],
    ids=[
        "nothing heard",
        "total unknown",
        "speed and time left",
        "another gets it",
        "again later",
        "it goes on",
        "another file goes on",
        "nothing moves meanwhile",
        "something else is done at once",
    ],
)
def test_a_model_under_way_has_a_row(plan: Plan, events: list[e.Event], row: str) -> None:
    picture = drawn(plan, events, 4.0)

    assert row in picture
    assert "1 model to come · 0 of 4 healthy" in picture


def test_the_row_of_a_model_goes_when_it_is_there(plan: Plan, events: list[e.Event]) -> None:
    assert "models.chat" in drawn(plan, until(events, 0.05), 0.1)
    assert "models.chat" not in drawn(plan, until(events, 0.15), 0.2)


def test_the_speed_is_that_of_the_last_seconds_and_bytes_got_again_do_not_count(plan: Plan) -> None:
    fast = [e.ModelProgress(at=i / 2, model="chat", done=i * 10**8, total=10**10) for i in range(20)]
    slow = [e.ModelProgress(at=10 + i, model="chat", done=20 * 10**8 + i * 10**6, total=10**10) for i in range(7)]
    again = [e.ModelProgress(at=17 + i, model="chat", done=10**8 + i * 10**6, total=10**10) for i in range(3)]

    assert "200 MB/s" in drawn(plan, fast, 10.0)
    assert "1.00 MB/s" in drawn(plan, [*fast, *slow], 16.0)
    assert "1.00 MB/s" in drawn(plan, [*fast, *slow, *again], 19.0)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (100, "2.00 GB of 10.0 GB · 40 s left · 200 MB/s"),
        (80, "2.00 GB of 10.0 GB · 40 s left"),
        (60, "2.00 GB of 10.0 GB"),
    ],
)
@pytest.mark.parametrize("lines", [24, 9], ids=["all-rows", "rows-that-count"])
def test_what_has_no_room_is_left_out_whole(plan: Plan, columns: int, words: str, lines: int) -> None:
    events = [e.ModelProgress(at=i / 2, model="a-longer-name", done=i * 10**8, total=10**10) for i in range(21)]

    picture = drawn(plan, events, 10.0, (columns, lines))

    (row,) = [line for line in picture.splitlines() if "models.a-longer-name" in line]
    assert row.endswith(f"  {words}")


def test_what_was_here_before_has_no_speed(plan: Plan) -> None:
    here = [e.ModelProgress(at=i / 2, model="chat", done=i * 10**9, kept=i * 10**9, total=10**10) for i in range(5)]
    come = [e.ModelProgress(at=2.5 + i, model="chat", done=5 * 10**9 + i * 10**6, kept=5 * 10**9, total=10**10)
            for i in range(4)]  # fmt: skip

    assert "B/s" not in drawn(plan, here, 2.0)
    assert "1.00 MB/s" in drawn(plan, [*here, *come], 5.5)


def test_stopping_shows_no_models(plan: Plan) -> None:
    assert "models.chat" not in drawn(plan, download(e.SessionStopping(at=2.0, reason="Ctrl-C")), 4.0)


def test_stopping_shows_who_is_left(plan: Plan, events: list[e.Event]) -> None:
    stopping: list[e.Event] = [
        e.SessionStopping(at=5.0, reason="Ctrl-C"),
        e.ReplicaStopping(at=5.0, replica="frontend", signal="TERM"),
        e.ReplicaStopping(at=5.0, replica="worker.0", signal="TERM"),
        e.ReplicaStopped(at=5.1, replica="frontend", killed=False, seconds=0.1),
    ]
    picture = drawn(plan, [*events, *stopping], 5.2)

    assert "worker.0  stopping" in picture
    assert "frontend  stopped" in picture
    assert "stopping, 3 left · Ctrl-C again leaves at once" in picture
    # The clock goes on, also where it was known how long the start took.
    assert picture.startswith("local  stopping  5.2 s  local-k3f9a\n")


def test_a_session_that_is_stopped_has_nothing_to_interrupt(plan: Plan, events: list[e.Event]) -> None:
    picture = drawn(
        plan, [*events, e.SessionStopping(at=5.0, reason="Ctrl-C"), e.SessionStopped(at=5.3, seconds=0.3)], 5.3
    )

    assert picture.endswith("\n  everything is stopped\n")


@pytest.mark.parametrize(
    ("event", "row"),
    [
        (e.ReplicaExited(replica="etcd", pid=1, exit_code=None, signal="SIGKILL", expected=False), "died of SIGKILL"),
        (e.ReplicaExited(replica="etcd", pid=1, exit_code=3, signal=None, expected=False), "exit code 3"),
        (
            e.ReplicaFailed(replica="etcd", error="X", message="etcd broke\x1b[2J"),
            "failed   0.29 s  4004  etcd broke\n",
        ),
        (e.FaultOrdered(replica="etcd", action="pause"), "‖  etcd      paused"),
    ],
)
def test_what_went_wrong_is_in_the_row(plan: Plan, events: list[e.Event], event: e.Event, row: str) -> None:
    assert row in drawn(plan, [*events, event], 5.0)


@pytest.mark.parametrize("size", [(80, 24), (140, 50), (40, 10), (20, 5)])
@pytest.mark.parametrize("models", [0, 2, 50])
@pytest.mark.parametrize("replicas", [3, 100])
def test_the_table_never_leaves_the_terminal(
    wide_plan: Callable[[int], Plan], replicas: int, models: int, size: tuple[int, int]
) -> None:
    fetching = [e.ModelFetching(model=f"m{i}", source="repo") for i in range(models)]
    lines = live_table(progress_of(wide_plan(replicas), fetching), 1.0, size)

    assert len(lines) < max(size[1], 9)
    assert max(map(line_width, lines)) <= size[0]


def test_a_hundred_replicas_are_one_row_that_counts_them(wide_plan: Callable[[int], Plan]) -> None:
    events = [e.ReplicaHealthy(replica=f"worker.{i}", seconds=1.0) for i in range(97)]
    slow = e.CheckAnswered(replica="worker.97", check="x (tcp)", passed=False, answer="refused", tries=1)
    picture = drawn(wide_plan(100), [*events, e.ReplicaStarting(replica="worker.97"), slow], 1.0, (120, 24))

    assert "worker  100 replicas  97 healthy · 1 starting · 2 waiting  worker.97 tcp: refused\n" in picture


def test_a_row_shows_the_check_that_has_not_passed_until_it_does(wide_plan: Callable[[int], Plan]) -> None:
    def told(check: str, answer: str, *, passed: bool = False) -> e.Event:
        return e.CheckAnswered(replica="worker.0", check=check, passed=passed, answer=answer, tries=1)

    events = [e.ReplicaStarting(replica="worker.0"), told("x (http)", "HTTP 503"), told("x (exec)", "exit code 1")]
    shown = []
    for more in (told("x (exec)", "exit code 0", passed=True), told("x (http)", "HTTP 200", passed=True)):
        events.append(more)
        row = next(line for line in drawn(wide_plan(2), events, 1.0, (120, 24)).splitlines() if "worker.0" in line)
        shown.append(row.split(None, 3)[3])

    assert shown == ["http: HTTP 503", "http http://127.0.0.1:20000"]


def test_more_services_than_lines_show_the_unfinished_first(long_plan: Callable[[int], Plan]) -> None:
    done: list[e.Event] = [e.ReplicaHealthy(replica=f"service_{i}", seconds=1.0) for i in range(8)]
    picture = drawn(long_plan(10), done, 1.0, (80, 10))

    assert "service_8" in picture
    assert "service_9" in picture
    assert "… and 7 more services" in picture


def test_long_names_leave_room_for_their_numbers_and_states(wide_plan: Callable[[int], Plan]) -> None:
    plan, name = wide_plan(4), "prefill-worker-with-a-name-as-lon-as-this"
    [service] = plan.services
    named = [replace(one, name=f"{name}.{one.index}", service=name) for one in service.replicas]
    plan = replace(plan, services=(replace(service, name=name, replicas=tuple(named)),))
    starting = [e.ReplicaStarting(replica=f"{name}.0"), e.ReplicaSpawned(replica=f"{name}.0", pid=1, argv=("x",))]
    refused = e.CheckAnswered(replica=f"{name}.0", check="x (http)", passed=False, answer="refused", tries=1)
    lines = drawn(plan, [*starting, refused], 1.0, (40, 24)).splitlines()

    assert [line[2:] for line in lines if "as-this" in line] == [
        "⠋  prefill-wor…-as-this.0  starting  …",
        "·  prefill-wor…-as-this.1  waiting",
        "·  prefill-wor…-as-this.2  waiting",
        "·  prefill-wor…-as-this.3  waiting",
    ]
    assert "  ⠋  pref…his  4 replicas  1 starting ·…" in drawn(plan, starting, 1.0, (40, 8)).splitlines()
