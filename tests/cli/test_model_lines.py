"""Where no table can be drawn, a model is a line when it begins, every ten seconds, and when it is there."""

from __future__ import annotations

from io import StringIO

from envspec.cli.screen import LineScreen
from envspec.plan import events as e
from envspec.session.status import SessionStatus

STATUS = SessionStatus("local-k3f9a", "local")


def lines(*events: e.Event) -> list[str]:
    stream = StringIO()
    screen = LineScreen(stream)
    for event in events:
        screen.event(event, STATUS)
    return [line.split("models.", 1)[1] for line in stream.getvalue().splitlines()]


def progress(model: str, at: float) -> e.ModelProgress:
    return e.ModelProgress(at=at, model=model, done=int(at * 10**6), total=10**8)


def test_progress_is_a_line_every_ten_seconds_for_each_model() -> None:
    begun = [e.ModelFetching(at=0.0, model=name, source="repo") for name in ("a", "b")]
    halves = [progress(name, half / 2) for half in range(1, 60) for name in ("a", "b")]

    assert lines(*begun, *halves) == [
        "a  being fetched",
        "b  being fetched",
        *[f"{name}  {done}.0 MB of 100 MB · {left} · 1.00 MB/s" for done, left in
          ((10, "1 min 30 s left"), (20, "1 min 20 s left")) for name in ("a", "b")],
    ]  # fmt: skip


def test_what_holds_a_model_up_is_told_at_once() -> None:
    assert lines(
        e.ModelFetching(at=0.0, model="a", source="repo"),
        e.ModelWaiting(at=0.1, model="a", holder="pid 4711 (pytest)"),
        e.ModelRetrying(at=0.2, model="a", reason="HTTP 429", seconds=12.0, attempt=2),
        e.ModelReady(at=0.3, model="a", path="/hub/a", cached=True),
    ) == [
        "a  being fetched",
        "a  waits for pid 4711 (pytest)",
        "a  HTTP 429, again in 12.0 s (attempt 2)",
        "a  cached at /hub/a",
    ]
